"""What became of a question: progress in words, the draft, the checked answer with all that belongs to it."""

from __future__ import annotations

from html import escape

import streamlit as st

from kernel.answer import Answer, TraceStep
from ui import chat_memory as memory
from ui import chat_view as view
from ui.chat_engine import knows
from ui.page.copied import attribute, copied_text
from ui.page.correcting import correction_form
from ui.page.found import show_found, show_steps
from ui.page.here import Here, icon_button
from ui.page.talk_state import Talk, begin, go_back
from ui.page.turn import Turn
from ui.plaintext import plain


def progress_html(here: Here, turn: Turn, passages: int) -> str:
    """Return how far a question on its way is, in words, and the draft as it stands.

    Args:
        here: the page.
        turn: the question.
        passages: how many there are to search.
    """
    if turn.stage == "stopping":
        said = here.say("stopping")
    elif turn.stage == "reading":
        said = here.say("reading_count", count=turn.reading)
    elif turn.stage == "writing":
        said = here.say("draft")
    else:
        said = here.say("searching_count", count=f"{passages:,}")
    draft = view.text_html(turn.draft, "draft") if turn.draft else ""
    return f'{draft}<div class="tk-meta tk-progress" role="status">{escape(said)}</div>'


def show_outcome(here: Here, turn: Turn, place: int | None) -> None:
    """Draw what became of a question; `place` is that of the turn, None where its sources do not open."""
    language, answer = here.language, turn.answer
    if turn.error:
        st.html(view.notice_html(f"{here.say('failed')}: {here.worded(turn.error)}", "error"))
        if turn.steps is not None and not turn.blind:
            show_steps(here, turn.steps)
    elif answer is None:
        draft = view.text_html(turn.draft, "draft") if turn.draft else ""
        st.html(draft + view.notice_html(here.say("stopped"), "warn"))
    else:
        if answer.reasoning:
            with st.expander(here.say("reasoning")):
                st.html(view.text_html(answer.reasoning))
        st.html(answer_parts_html(answer, language, place, blind=turn.blind))
        if not turn.blind:
            show_found(here, answer)
        show_prompt(here, answer)


def answer_parts_html(answer: Answer, language: str, place: int | None, *, blind: bool = False) -> str:
    """Return an answer with its marks, notices and sources."""
    if answer.refused:
        sources = view.nearest_html(answer, language, place=place)
    else:
        sources = view.sources_html(answer, language, place=place)
    return (
        memory.understood_html(answer, language)
        + view.answer_html(answer, language, place=place)
        + view.unsupported_html(answer, language)
        + view.notices_html(answer, language)
        + memory.memories_html(answer, language)
        + sources
        + view.functions_html(answer, language)
        + view.meta_html(answer, language, blind=blind)
    )


def show_prompt(here: Here, answer: Answer) -> None:
    """Offer to read what the model was sent, where it was asked for."""
    if answer.trace is None:
        return
    found = _prompts(answer.trace)
    with st.expander(here.say("prompt_sent"), icon=":material/terminal:"):
        if not found:
            st.html(view.text_html(here.say("no_prompt"), "meta"))
        for messages in found:
            st.html(
                "".join(
                    view.text_html(message.get("role", ""), "heading")
                    + f'<div class="tk-passage">{escape(plain(message.get("content", "")))}</div>'
                    for message in messages
                )
            )


def show_actions(here: Here, talk: Talk, place: int) -> None:
    """Offer under an answer to copy it, to rate it, and to ask again."""
    turn = talk.turns[place]
    with st.container(horizontal=True, vertical_alignment="center", key=f"actions_{place}"):
        if turn.answer is not None:
            done = escape(here.say("copied"), quote=True)
            text = attribute(copied_text(turn.answer, here.language))
            st.html(
                f'<button type="button" class="tk-copy" data-copy="{text}" data-done="{done}">'
                f"{escape(here.say('copy'))}</button>",
                width="content",
            )
            memory.thumbs(here.engine, turn, place, here.caller, here.language)
            if _may_correct(here, turn):
                icon_button(
                    here.say("correct"),
                    "edit_note",
                    f"correct_{place}",
                    on_click=_correct,
                    args=(talk, place),
                )
        icon_button(here.say("retry"), "refresh", f"retry_{place}", on_click=_retry, args=(here, talk, place))
        icon_button(here.say("edit_question"), "edit", f"edit_{place}", on_click=_edit, args=(talk, place))
    if turn.said:
        st.html(view.notice_html(here.worded(turn.said)))
    if talk.correcting != place or turn.answer is None or not _may_correct(here, turn):
        return
    if said := correction_form(here, turn.answer, f"turn_{place}"):
        turn.said, turn.rated, talk.correcting = said, "corrected", None
        st.rerun()


def _may_correct(here: Here, turn: Turn) -> bool:
    """Say whether an answer can be corrected: once, and not after it was said to be right."""
    if turn.answer is None or turn.answer.variant == "memory" or not knows(here.caller):
        return False
    return not turn.said or turn.rated == "down"


def _correct(talk: Talk, place: int) -> None:
    talk.correcting = None if talk.correcting == place else place  # pressed once more it takes the form away


def _retry(here: Here, talk: Talk, place: int) -> None:
    turn = talk.turns[place]
    go_back(here, talk, place)
    begin(here, talk, turn.question, turn.how, again=True)


def _edit(talk: Talk, place: int) -> None:
    talk.editing, talk.opened = place, None


def _prompts(step: TraceStep) -> list[list[dict[str, str]]]:
    found = [step.prompt] if step.prompt else []
    for inner in step.steps:
        found += _prompts(inner)
    return found
