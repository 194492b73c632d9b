"""The worked examples of prompts: listed, added, changed, deleted."""

from __future__ import annotations

from html import escape

import streamlit as st

from plugins.example_store import StoredExample
from retrieval.errors import TekioError
from ui import chat_view as view
from ui.page.here import Here, icon_button
from ui.plaintext import one_line, plain

_SHOWN = 30
_SAID = "examples_said"
_EDITED = "edited_example"


def may_edit(here: Here) -> bool:
    """Say whether somebody may see and change examples, which hold text of documents; as over the API."""
    return here.caller is None or (here.settings.edit_examples and bool(here.caller.user))


def show_examples(here: Here) -> None:
    """Draw the list, the own ones first."""
    if not may_edit(here):
        st.html(view.notice_html(here.say("examples_closed"), "warn"))
        return
    if said := st.session_state.pop(_SAID, ""):
        st.html(view.notice_html(said))
    try:
        examples = here.engine.examples(here.caller)
    except TekioError as error:
        st.html(view.notice_html(here.worded(error), "error"))
        return
    edited = next((each for each in examples if each.id == st.session_state.get(_EDITED)), None)
    with st.expander(
        here.say("add_example" if edited is None else "change_example"), expanded=edited is not None
    ):
        _form(here, edited)
    own = [each for each in examples if each.origin != "shipped"]
    shipped = [each for each in examples if each.origin == "shipped"]
    for example in [*own, *shipped][:_SHOWN]:
        with st.container(border=True):
            st.html(example_html(here, example))
            if example.origin != "shipped":
                with st.container(horizontal=True):
                    icon_button(
                        here.say("change_example"),
                        "edit",
                        f"change_{example.id}",
                        on_click=_edit,
                        args=(example.id,),
                    )
                    icon_button(
                        here.say("delete_example"),
                        "delete",
                        f"delete_{example.id}",
                        on_click=_delete,
                        args=(here, example.id),
                    )
    if len(examples) > _SHOWN:
        st.html(view.text_html(here.say("more", count=len(examples) - _SHOWN), "meta"))


def example_html(here: Here, example: StoredExample) -> str:
    """Return an example: its question, what it is answered from, the answer."""
    head = (
        here.say(f"example_{example.origin}")
        if example.origin in ("shipped", "added", "answer")
        else example.origin
    )
    passages = "".join(
        f'<span class="tk-quote">[{number}] {escape(plain(text))}</span>'
        for number, text in enumerate(example.example.passages, 1)
    )
    return (
        view.text_html(head, "meta")
        + f"<b>{escape(one_line(example.example.question))}</b>{passages}"
        + view.text_html(example.example.answer)
    )


def _form(here: Here, edited: StoredExample | None) -> None:
    key = "new" if edited is None else edited.id
    given = None if edited is None else edited.example
    with st.form(f"example_{key}", border=False):
        question = st.text_input(here.say("one_question"), given.question if given else "", max_chars=4000)
        passages = st.text_area(
            here.say("example_passages"), "\n\n".join(given.passages) if given else "", max_chars=20_000
        )
        answer = st.text_area(here.say("example_answer"), given.answer if given else "", max_chars=4000)
        wanted = st.form_submit_button(here.say("save"), type="primary")
    if not wanted:
        return
    fields = {
        "question": question,
        "passages": [part.strip() for part in passages.split("\n\n") if part.strip()],
        "answer": answer,
    }
    if given is not None and given.reasoning:
        fields["reasoning"] = given.reasoning
    try:
        added = here.engine.add_example(fields, here.caller)
        if edited is not None and added != edited.id:
            here.engine.delete_example(edited.id, here.caller)
        st.session_state[_SAID] = here.say("example_saved")
        st.session_state[_EDITED] = None
        st.rerun()
    except TekioError as error:
        st.html(view.notice_html(here.worded(error), "error"))


def _edit(key: str) -> None:
    st.session_state[_EDITED] = key


def _delete(here: Here, key: str) -> None:
    try:
        here.engine.delete_example(key, here.caller)
        st.session_state[_SAID] = here.say("example_deleted")
    except TekioError as error:
        st.session_state[_SAID] = here.worded(error)
