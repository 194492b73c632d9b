"""The page's memory: thumbs under an answer, what is remembered in the sidebar, what was made of the conversation."""

from __future__ import annotations

from html import escape

import streamlit as st

from kernel.answer import Answer
from plugins.memory.records import MAX_ANSWER, MAX_TEXT, Memory
from retrieval.access import Caller
from retrieval.errors import TekioError
from ui.chat_engine import Engine, knows
from ui.chat_view import notice_html, text_html
from ui.locales import label
from ui.messages import error_said
from ui.page.here import icon_button
from ui.page.turn import Turn
from ui.plaintext import one_line, plain

LISTED = 50
"""What the sidebar shows of what is remembered, the newest."""
_SHOWN = 120
_EDITED = "memory_edited"
"""The id of the memory that is being changed."""


def understood_html(answer: Answer, language: str) -> str:
    """Return how a follow-up question was understood; nothing for one that stands alone."""
    if not answer.asked or answer.asked == answer.question:
        return ""
    return text_html(label("asked", language, question=one_line(answer.asked)), "meta")


def memories_html(answer: Answer, language: str) -> str:
    """Return what was remembered of a question, apart from its sources; nothing where there is none."""
    shown = [item for item in answer.memories if not item.offered] if answer.variant != "memory" else []
    if not shown:
        return ""
    rows = "".join(
        f"<li>{escape(plain(item.text))}{' → ' + escape(plain(item.answer)) if item.answer else ''}</li>"
        for item in shown
    )
    title = escape(label("remembered", language))
    return f'<div class="tk-notice tk-info"><b>{title}</b><ul>{rows}</ul></div>'


def thumbs(engine: Engine, turn: Turn, place: int, caller: Caller | None, language: str) -> None:
    """Offer to rate and to remember an answer, unless that was said already."""
    if turn.answer is None or turn.answer.variant == "memory" or turn.said or not knows(caller):
        return
    for name, icon in (("up", "thumb_up"), ("down", "thumb_down"), ("keep", "bookmark_add")):
        icon_button(
            label(f"rate_{name}", language),
            icon,
            f"{name}_{place}",
            on_click=_say,
            args=(engine, turn, name, caller, language),
            disabled=name == "keep" and turn.answer.refused,
        )


def panel(engine: Engine, caller: Caller | None, language: str) -> None:
    """Show in the sidebar what is remembered, with a way to add, to change and to delete."""
    if not knows(caller):
        return
    with st.sidebar, st.expander(label("memory", language), icon=":material/bookmarks:"):
        st.text_input(
            label("remember", language),
            max_chars=MAX_TEXT,
            key="remember",
            placeholder=label("remember_example", language),
            on_change=_remember,
            args=(engine, caller, language),
        )
        if problem := st.session_state.pop("memory_problem", ""):
            st.html(notice_html(problem, "error"))
        try:
            held = engine.memories(caller)
        except TekioError as error:
            st.html(notice_html(error_said(error, language), "error"))
            return
        if not held:
            st.html(text_html(label("nothing_remembered", language), "meta"))
        for memory in held[:LISTED]:
            _row(engine, memory, caller, language)
        if len(held) > LISTED:
            st.html(text_html(label("more", language, count=len(held) - LISTED), "meta"))


def _row(engine: Engine, memory: Memory, caller: Caller | None, language: str) -> None:
    if st.session_state.get(_EDITED) == memory.id:
        _form(engine, memory, caller, language)
        return
    text, change, button = st.columns([5, 1, 1])
    shown = one_line(memory.text)
    with text:
        st.html(text_html(shown[:_SHOWN] + ("…" if len(shown) > _SHOWN else "")))
    with change:
        icon_button(
            label("edit_memory", language),
            "edit",
            f"edit_memory_{memory.id}",
            on_click=_edit,
            args=(memory.id,),
        )
    with button:
        icon_button(
            label("forget", language),
            "delete",
            f"forget_{memory.id}",
            on_click=_forget,
            args=(engine, memory.id, caller, language),
        )


def _form(engine: Engine, memory: Memory, caller: Caller | None, language: str) -> None:
    """Offer the text of a memory to be changed, and its answer where it has one."""
    with st.form(f"memory_{memory.id}", border=False):
        kind = "question" if memory.kind == "answer" else "text"
        st.text_area(
            label(f"memory_{kind}", language), memory.text, max_chars=MAX_TEXT, key=f"text_{memory.id}"
        )
        if memory.kind == "answer":
            st.text_area(
                label("memory_answer", language),
                memory.answer,
                max_chars=MAX_ANSWER,
                key=f"answer_{memory.id}",
            )
        with st.container(horizontal=True):
            st.form_submit_button(
                label("save", language),
                type="primary",
                on_click=_change,
                args=(engine, memory.id, caller, language),
            )
            st.form_submit_button(label("cancel", language), on_click=_edit, args=("",))


def _say(engine: Engine, turn: Turn, what: str, caller: Caller | None, language: str) -> None:
    assert turn.answer is not None
    try:
        if what == "keep":
            engine.keep(turn.answer, caller)
        else:
            engine.rate(turn.answer, what, caller)
        turn.said, turn.rated = label(f"rated_{what}", language), what
    except TekioError as error:
        turn.said = error_said(error, language)


def _remember(engine: Engine, caller: Caller | None, language: str) -> None:
    text = st.session_state.get("remember", "").strip()
    if not text:
        return
    try:
        engine.remember(text, caller)
        st.session_state["remember"] = ""
    except TekioError as error:
        st.session_state["memory_problem"] = error_said(error, language)


def _edit(memory_id: str) -> None:
    st.session_state[_EDITED] = memory_id


def _change(engine: Engine, memory_id: str, caller: Caller | None, language: str) -> None:
    try:
        engine.edit_memory(
            memory_id,
            st.session_state[f"text_{memory_id}"],
            st.session_state.get(f"answer_{memory_id}"),
            caller,
        )
        _edit("")
    except TekioError as error:
        st.session_state["memory_problem"] = error_said(error, language)


def _forget(engine: Engine, memory_id: str, caller: Caller | None, language: str) -> None:
    try:
        engine.forget(memory_id, caller)
    except TekioError as error:
        st.session_state["memory_problem"] = error_said(error, language)
