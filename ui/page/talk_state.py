"""The conversation that a person is in: found again after a reload by its name in the address, and in the store."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

import streamlit as st

from kernel.trial import is_on_trial
from retrieval.errors import TekioError
from ui.chat_engine import knows
from ui.page.asking import Asking
from ui.page.here import Here
from ui.page.turn import How, Turn

PARAMETER = "c"
"""Of the address. What it names is read for the caller alone, so that a name tells nothing to anybody else."""
_KEY = "talk"
_MOST_NAME = 200


@dataclass
class Talk:
    """A conversation as the page shows it."""

    name: str
    turns: list[Turn] = field(default_factory=list)
    opened: tuple[int, int] | None = None
    """The source that is shown beside its answer, as (turn, marker)."""
    editing: int | None = None
    """The turn whose question is being changed."""
    correcting: int | None = None
    """The turn whose answer is being corrected."""
    asking: Asking | None = None

    @property
    def shown(self) -> list[str]:
        """The names of the documents of which its answers show something."""
        return [each.document for turn in self.turns if turn.answer for each in turn.answer.passages]


def current(here: Here) -> Talk:
    """Return the conversation that the person is in; after a reload the one that the address names."""
    talk: Talk | None = st.session_state.get(_KEY)
    named = st.query_params.get(PARAMETER, "")[:_MOST_NAME]
    if talk is None or (named and named != talk.name):
        talk = opened(here, named) if named else fresh()
        st.session_state[_KEY] = talk
    elif talk.turns:
        st.query_params[PARAMETER] = talk.name  # which a change of the page takes away
    return talk


def fresh() -> Talk:
    """Return a conversation that begins."""
    return Talk(uuid.uuid4().hex)


def opened(here: Here, name: str) -> Talk:
    """Return a conversation out of the store, with the question that is on its way; a fresh one of its name else."""
    talk = Talk(name)
    if not knows(here.caller):
        return fresh()
    try:
        talk.turns = here.engine.turns(name, here.caller)
    except TekioError:
        return fresh()
    if talk.shown:
        here.note("conversation", talk.shown)
    talk.asking = here.engine.under_way(name, here.caller)
    if talk.asking is not None and talk.asking.turn.number is None:
        talk.turns.append(talk.asking.turn)
    return talk


def enter(talk: Talk) -> None:
    """Go to a conversation. For callbacks: the next run shows it."""
    st.session_state[_KEY] = talk
    if talk.turns:
        st.query_params[PARAMETER] = talk.name
    else:
        st.query_params.pop(PARAMETER, None)


def begin(here: Here, talk: Talk, question: str, how: How, *, again: bool = False) -> None:
    """Ask a question as the next turn."""
    turn = Turn(question, how=how, blind=how.variant is None and is_on_trial(here.settings))
    before = list(talk.turns)
    talk.turns.append(turn)
    talk.editing = talk.opened = talk.correcting = None
    if knows(here.caller):
        st.query_params[PARAMETER] = talk.name
    talk.asking = here.engine.ask(talk.name, turn, before, here.caller, again=again, client=here.client)


def go_back(here: Here, talk: Talk, place: int) -> None:
    """Take out a turn and those after it."""
    if talk.asking is not None:
        talk.asking.stop()
        talk.asking.wait(5)
        talk.asking = None
    if place < len(talk.turns):
        here.engine.cut(talk.name, talk.turns[place], here.caller)
        del talk.turns[place:]
    talk.opened = talk.editing = talk.correcting = None
