"""The page's adviser: what decides how to adapt a model is asked, and the recommendation shown with its costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.advice_text import advice_lines
from ui.chat_view import notice_html, text_html
from ui.locales import label
from ui.messages import error_said

if TYPE_CHECKING:
    from adaptation.advice.rules import Question


def advise(language: str) -> None:
    """Ask what decides it, and show what is recommended."""
    from adaptation.advice.rules import questions

    st.html(text_html(label("advise", language), "heading"))
    given: dict[str, object] = {}
    with st.form("advice", border=False):
        sides = st.columns(2)
        asked_of = questions()
        for number, question in enumerate(asked_of):
            with sides[number >= (len(asked_of) + 1) // 2]:
                given[question.id] = _field(question, language)
        asked = st.form_submit_button(label("advise_now", language), type="primary", key="advise_now")
    if asked:
        _recommend(given, language)


def _field(question: Question, language: str) -> object:
    text, key = question.text[language], f"advice_{question.id}"
    if question.kind == "choice":
        return st.selectbox(
            text,
            question.options,
            index=question.options.index(str(question.default)),
            key=key,
            format_func=lambda name: label(f"advice_{name}", language),
        )
    if question.kind == "yes_no":
        return st.toggle(text, value=bool(question.default), key=key, wrap=True)
    least, usual = float(question.least or 0), float(question.default)
    return st.number_input(text, min_value=least, value=usual, format="%g", key=key)


def _recommend(given: dict[str, object], language: str) -> None:
    from adaptation.advice.advising import advise
    from adaptation.advice.rules import read_answers
    from retrieval.errors import UsageError

    try:
        advice = advise(read_answers(given), language=language)
    except UsageError as error:
        st.html(notice_html(error_said(error, language), "error"))
        return
    for line in advice_lines(advice, language):
        st.html(text_html(line.strip(), "meta" if line.startswith(" ") else ""))
    names = {each.option: each.name for each in advice.options}
    shown = dict.fromkeys([*advice.recommended, "prompting"])
    st.html(text_html(label("advice_costs", language)))
    st.line_chart({names[name]: advice.curves[name] for name in shown}, height=220)
