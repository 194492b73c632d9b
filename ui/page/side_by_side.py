"""The page on which two or three variants answer the same question, with what differs marked, and a vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from kernel.variant_names import BASE, EXTRACTIVE
from retrieval.errors import TekioError
from retrieval.records import DocumentSummary
from ui import chat_view as view
from ui.chat_engine import knows
from ui.page.asking import Asking
from ui.page.collections import choose_collections, where_of
from ui.page.differences import differences
from ui.page.found import show_found
from ui.page.here import Here
from ui.page.options import ASKED, select, write_filters
from ui.page.outcome import progress_html, show_prompt
from ui.page.turn import How, Turn

_KEY = "side_by_side"
_MOST = 3
_LOOK_SECONDS = 0.2


@dataclass
class Compared:
    """A question with the variants that answer it."""

    question: str
    blind: bool
    askings: list[Asking] = field(default_factory=list)
    voted: str = ""
    """What became of the vote."""

    @property
    def turns(self) -> list[Turn]:
        """What became of each."""
        return [asking.turn for asking in self.askings]


def side_by_side_page(here: Here) -> None:
    """Draw the page."""
    st.html(view.text_html(here.say("page_side_by_side"), "title"))
    st.html(view.text_html(here.say("side_by_side_help"), "tagline"))
    documents = here.engine.documents(here.caller)
    compared = _asked(here, documents or []) or st.session_state.get(_KEY)
    if compared is None:
        return
    _show(here, compared, sum(row.chunks for row in documents or []))


def _asked(here: Here, documents: Sequence[DocumentSummary]) -> Compared | None:
    """Offer to ask; return what was just asked."""
    names = here.engine.variants()
    usual = [
        name for name in dict.fromkeys((BASE, here.engine.default_variant(), EXTRACTIVE)) if name in names
    ]
    left, right = st.columns(2)
    with left:
        technique = select(
            "technique",
            here.engine.techniques(),
            default=here.settings.technique.value,
            name_of=lambda name: view.technique_name(name, here.language),
            language=here.language,
        )
    with right:
        filters = write_filters(here)
    where = (*where_of(choose_collections(here, documents, ASKED)), *filters)
    with st.form("compare", border=False):
        question = st.text_area(here.say("one_question"), max_chars=8000, key="compare_question", height=80)
        variants = st.multiselect(
            here.say("who_compared"),
            names,
            default=usual[:_MOST],
            max_selections=_MOST,
            key="compare_variants",
        )
        blind = st.checkbox(here.say("compare_blind"), key="compare_blind")
        wanted = st.form_submit_button(
            here.say("compare_ask"), type="primary", key="compare_ask", disabled=not documents
        )
    if not wanted:
        return None
    if not question.strip() or len(variants) < 2:
        st.html(view.notice_html(here.say("compare_needs"), "warn"))
        return None
    for asking in getattr(st.session_state.get(_KEY), "askings", []):
        asking.stop()
    compared = Compared(question.strip(), blind)
    for name in variants:
        turn = Turn(compared.question, how=How(name, technique, where=where, trace=True))
        compared.askings.append(here.engine.ask_apart(turn, here.caller, client=here.client))
    st.session_state[_KEY] = compared
    return compared


def _show(here: Here, compared: Compared, passages: int) -> None:
    st.html(view.text_html(compared.question, "heading"))
    columns = st.columns(len(compared.askings), gap="medium", border=True)
    slots = []
    for place, (column, turn) in enumerate(zip(columns, compared.turns, strict=True)):
        with column:
            hidden = compared.blind and not compared.voted
            st.html(view.text_html("ABC"[place] if hidden else str(turn.how.variant), "panel-title"))
            slots.append(st.empty())
    while not all(asking.wait(_LOOK_SECONDS) for asking in compared.askings):
        for slot, turn in zip(slots, compared.turns, strict=True):
            slot.html(progress_html(here, turn, passages))
    texts = [turn.answer.answer.strip() if turn.answer else "" for turn in compared.turns]
    for place, (column, turn, spans) in enumerate(
        zip(columns, compared.turns, differences(texts), strict=True)
    ):
        slots[place].empty()
        with column:
            _show_answer(here, compared, turn, spans)
            if turn.answer is not None and not compared.voted and knows(here.caller):
                st.button(
                    here.say("vote"),
                    icon=":material/thumb_up:",
                    key=f"vote_{place}",
                    on_click=_vote,
                    args=(here, compared, place),
                )
    if compared.voted:
        st.html(view.notice_html(compared.voted))


def _show_answer(here: Here, compared: Compared, turn: Turn, spans: Sequence[tuple[int, int]]) -> None:
    answer = turn.answer
    if answer is None:
        said = f"{here.say('failed')}: {here.worded(turn.error)}" if turn.error else here.say("stopped_short")
        st.html(view.notice_html(said, "error" if turn.error else "warn"))
        return
    hidden = compared.blind and not compared.voted
    st.html(
        view.answer_html(answer, here.language, differs=spans)
        + view.unsupported_html(answer, here.language)
        + view.notices_html(answer, here.language)
        + view.sources_html(answer, here.language)
        + view.meta_html(answer, here.language, blind=hidden)
    )
    if not hidden:
        show_found(here, answer)
        show_prompt(here, answer)


def _vote(here: Here, compared: Compared, best: int) -> None:
    """Keep the vote as what is said of the answers: the best is right, others that say something else are not."""
    chosen = compared.turns[best].answer
    assert chosen is not None
    try:
        here.engine.rate(chosen, "up", here.caller)
        for turn in compared.turns:
            if turn.answer is not None and turn.answer.answer.strip() != chosen.answer.strip():
                here.engine.rate(turn.answer, "down", here.caller)
        compared.voted = here.say("voted", variant=str(compared.turns[best].how.variant))
    except TekioError as error:
        compared.voted = here.worded(error)
