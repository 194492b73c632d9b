"""The page of conversations: questions, answers as they come, and the sources beside them."""

from __future__ import annotations

import shlex
from contextlib import suppress

import streamlit as st

from retrieval.errors import TekioError
from retrieval.stores.opening import shown
from ui import chat_memory as memory
from ui import chat_view as view
from ui.page import kept, panel
from ui.page.here import Here, button_text
from ui.page.options import choose_how
from ui.page.outcome import progress_html, show_actions, show_outcome
from ui.page.talk_state import Talk, begin, current, go_back
from ui.page.turn import How, Turn

_LOOK_SECONDS = 0.15
"""How often a run of the page looks at an answer that is on its way."""
_ASK = "ask_next"


def talk_page(here: Here) -> None:
    """Draw the page."""
    documents = here.engine.documents(here.caller)
    passages = sum(row.chunks for row in documents or [])
    talk = current(here)
    kept.sidebar(here, talk)
    how = choose_how(here, documents or [])
    if (clicked := here.heard.source) is not None:
        talk.opened = clicked if clicked[0] < len(talk.turns) else None
        if talk.opened is not None:
            note_opened(here, talk.turns[clicked[0]])
    hero = st.empty()
    if not talk.turns:
        with hero.container():
            _welcome(here, missing=documents is None, empty=not documents)
    for place in range(len(talk.turns)):
        _show_turn(here, talk, place, passages)
    question = st.chat_input(here.say("ask_placeholder"), disabled=not documents, max_chars=8000)
    question = st.session_state.pop(_ASK, None) or question
    if question and question.strip() and talk.asking is None:
        hero.empty()
        begin(here, talk, question.strip(), how)
        _show_turn(here, talk, len(talk.turns) - 1, passages)
    memory.panel(here.engine, here.caller, here.language)  # after the answer, which may have added to it


def _welcome(here: Here, *, missing: bool, empty: bool) -> None:
    hero = view.text_html("Tekio 適応", "title") + view.text_html(here.say("tagline"), "tagline")
    st.html(f'<div class="tk-hero">{hero}</div>')
    if empty:
        place = shown(here.settings.place)
        text = here.say("no_index", index=place) if missing else here.say("empty_index", index=place)
        st.html(view.notice_html(text, "warn") + view.text_html(here.say("run_this")))
        st.code(f"ingest PATH --index {shlex.quote(place)}", language="shell")
        return
    st.html(view.notice_html(here.say("welcome")))
    suggested = here.engine.suggestions(here.language, here.caller)
    if suggested:
        st.html(view.text_html(here.say("suggestions"), "heading"))
        with st.container(key="suggestions"):
            for number, question in enumerate(suggested):
                st.button(
                    button_text(question, 120),
                    key=f"suggested_{number}",
                    icon=":material/chat_bubble:",
                    on_click=_ask_next,
                    args=(question,),
                )


def note_opened(here: Here, turn: Turn) -> None:
    """Note that a source of an answer was opened, where a policy chose who answered: it learns from that."""
    policy = turn.answer.policy if turn.answer is not None else None
    if policy is None or not policy.decision:
        return
    with suppress(TekioError):  # the source is shown all the same
        here.engine.note_opened(policy.decision)


def _ask_next(question: str) -> None:
    st.session_state[_ASK] = question


def _show_turn(here: Here, talk: Talk, place: int, passages: int) -> None:
    turn = talk.turns[place]
    _show_question(here, talk, place)
    opened = talk.opened if talk.opened is not None and talk.opened[0] == place else None
    if opened is not None and panel.source_of(turn, opened[1]) is None:
        opened = talk.opened = None
    if opened is None:
        _show_answer(here, talk, place, passages)
        return
    left, right = st.columns([11, 9], gap="medium")
    with left:
        _show_answer(here, talk, place, passages)
    with right:
        panel.show(here, talk, opened)


def _show_question(here: Here, talk: Talk, place: int) -> None:
    turn = talk.turns[place]
    with st.chat_message("user", avatar=":material/person:"):
        if talk.editing != place:
            st.html(view.text_html(turn.question))
            return
        with st.form(f"edit_{place}", border=False):
            changed = st.text_area(
                here.say("edit_question"), turn.question, max_chars=8000, key=f"edited_{place}"
            )
            with st.container(horizontal=True):
                asked = st.form_submit_button(here.say("ask_again"), type="primary")
                left = st.form_submit_button(here.say("cancel"))
    if left:
        talk.editing = None
        st.rerun()
    if asked and changed.strip():
        ask_again(here, talk, place, changed.strip(), turn.how)
        st.rerun()


def ask_again(here: Here, talk: Talk, place: int, question: str, how: How, *, anew: bool = False) -> None:
    """Ask a question in the place of a turn; what came after it goes."""
    go_back(here, talk, place)
    begin(here, talk, question, how, again=anew)


def _show_answer(here: Here, talk: Talk, place: int, passages: int) -> None:
    turn = talk.turns[place]
    with st.chat_message("assistant", avatar=":material/menu_book:"):
        asking = talk.asking
        if asking is not None and asking.turn is turn:
            body, below = st.empty(), st.empty()
            below.button(
                here.say("stop"),
                icon=":material/stop_circle:",
                key="stop",
                on_click=asking.stop,
                shortcut="Esc",
            )
            body.html(progress_html(here, turn, passages))
            while not asking.wait(_LOOK_SECONDS):
                # Each of these lets Streamlit leave this run for a newer one; the answer goes on meanwhile.
                body.html(progress_html(here, turn, passages))
            talk.asking = None
            st.rerun()  # the list of conversations, drawn before, knows this one now
        show_outcome(here, turn, place)
        show_actions(here, talk, place)
