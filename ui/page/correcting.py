"""From a wrong answer to the right one: it is remembered, learned from, and a worked example where it may be one."""

from __future__ import annotations

import re

import streamlit as st

from kernel.answer import Answer
from retrieval.errors import TekioError
from ui import chat_view as view
from ui.page.examples import may_edit
from ui.page.here import Here

_DOUBT = re.compile(r"\s*\[\?\]")
"""Stands behind a sentence that no passage supports."""


def correction_form(here: Here, answer: Answer, key: str) -> str:
    """Offer to write what is right; return what became of it, empty while nothing is kept.

    Args:
        here: the page.
        answer: is wrong.
        key: of the form, its own on the page.
    """
    with st.form(f"correction_{key}", border=False):
        given = _DOUBT.sub("", answer.answer).strip()
        text = st.text_area(here.say("right_answer"), given, max_chars=20_000, key=f"right_{key}").strip()
        st.html(view.text_html(here.say("right_answer_help"), "meta"))
        saved = st.form_submit_button(here.say("save"), type="primary")
    if not saved or not text:
        return ""
    try:
        here.engine.correct(answer, text, here.caller)
    except TekioError as error:  # what was written stays in its field
        st.html(view.notice_html(here.worded(error), "error"))
        return ""
    return f"{here.say('corrected')} {_example_said(here, answer, text)}"


def _example_said(here: Here, answer: Answer, text: str) -> str:
    """Make a worked example of what is right; return that it is one, or why it is none."""
    if not may_edit(here):
        return here.say("corrected_no_example", reason=here.say("examples_closed"))
    try:
        here.engine.add_correction(answer, text, here.caller)
    except TekioError as error:
        return here.say("corrected_no_example", reason=here.worded(error))
    return here.say("corrected_example")
