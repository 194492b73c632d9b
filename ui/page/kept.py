"""The conversations in the sidebar: begin one, find one, open it; rename, take away and delete the one at hand."""

from __future__ import annotations

import streamlit as st

from retrieval.errors import TekioError
from ui import chat_view as view
from ui.chat_engine import knows
from ui.page.exports import offer_exports
from ui.page.here import Here, button_text
from ui.page.talk_state import Talk, enter, fresh, opened

LISTED = 30
"""What the sidebar shows without a search, the newest."""


def sidebar(here: Here, talk: Talk) -> None:
    """Draw the list, and what can be done with the conversation at hand."""
    with st.sidebar:
        st.button(
            here.say("new_conversation"),
            icon=":material/add_comment:",
            key="clear",
            width="stretch",
            on_click=lambda: enter(fresh()),
        )
        if not knows(here.caller):
            return
        search = st.text_input(
            here.say("search_conversations"),
            key="search_conversations",
            max_chars=200,
            placeholder=here.say("search_conversations"),
            label_visibility="collapsed",
            icon=":material/search:",
        )
        # In a place of its own, so that what follows stays where it is, open or closed, whatever is found.
        with st.container(key="kept_conversations"):
            _listed(here, talk, search)


def _listed(here: Here, talk: Talk, search: str) -> None:
    try:
        found = here.engine.conversations(here.caller, search=search)
    except TekioError as error:
        st.html(view.notice_html(here.worded(error), "error"))
        return
    if search and not found:
        st.html(view.text_html(here.say("nothing_found"), "meta"))
    with st.container(key="conversations", gap=None):
        for row in found[:LISTED]:
            st.button(
                button_text(row.title, 60),
                key=f"open_{row.name}",
                type="tertiary",
                width="stretch",
                icon=":material/chat:" if row.name == talk.name else None,
                on_click=_open,
                args=(here, row.name),
            )
    if len(found) > LISTED:
        st.html(view.text_html(here.say("more", count=len(found) - LISTED), "meta"))
    titles = {row.name: row.title for row in found}
    if talk.turns and talk.asking is None:
        _at_hand(here, talk, titles.get(talk.name, talk.turns[0].question))


def _at_hand(here: Here, talk: Talk, title: str) -> None:
    with st.popover(here.say("this_conversation"), icon=":material/more_horiz:", width="stretch"):
        st.text_input(
            here.say("title"),
            title[:200],
            max_chars=200,
            key=f"title_{talk.name}",
            on_change=_rename,
            args=(here, talk.name),
        )
        offer_exports(here, talk, title)
        sure = st.checkbox(here.say("delete_sure"), key=f"sure_{talk.name}")
        st.button(
            here.say("delete_conversation"),
            icon=":material/delete:",
            key="delete_conversation",
            disabled=not sure,
            on_click=_delete,
            args=(here, talk.name),
        )
    if problem := st.session_state.pop("conversation_problem", ""):
        st.html(view.notice_html(problem, "error"))


def _open(here: Here, name: str) -> None:
    enter(opened(here, name))


def _rename(here: Here, name: str) -> None:
    try:
        here.engine.rename(name, st.session_state.get(f"title_{name}", ""), here.caller)
    except TekioError as error:
        st.session_state["conversation_problem"] = here.worded(error)


def _delete(here: Here, name: str) -> None:
    try:
        here.engine.delete_conversation(name, here.caller)
        enter(fresh())
    except TekioError as error:
        st.session_state["conversation_problem"] = here.worded(error)
