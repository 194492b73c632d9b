"""How a composed answer was found, under it: what members and models wrote is escaped as a whole, as in `chat_view`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from html import escape

import streamlit as st

from kernel.answer import Answer, PipelineReport
from ui.chat_view import Span, marked_html, notice_html, text_html
from ui.composed_text import is_composed, sections
from ui.found_parts import Entry, Section
from ui.locales import label
from ui.page.differences import differences
from ui.page.here import Here
from ui.steps_text import steps_section

_MOST_COMPARED = 6_000
"""Characters of all members' answers together beyond which it is not looked for where they differ."""


def show_found(here: Here, answer: Answer) -> None:
    """Offer to read how a composed answer was found: by which members, steps or choice."""
    if is_composed(answer):
        with st.expander(here.say("how_found"), icon=":material/account_tree:"):
            st.html(found_html(answer, here.language))


def show_steps(here: Here, report: PipelineReport) -> None:
    """Offer to read what the steps of a pipeline gave before one failed, so that there is no answer."""
    with st.expander(here.say("how_found"), icon=":material/account_tree:"):
        section = steps_section(report, here.language)
        st.html(_section_html(section, (), here.language, here.language))


def found_html(answer: Answer, language: str) -> str:
    """Return how an answer was found: members with their answers, weights and votes, steps, the choice.

    Empty for an answer that a variant gave by itself.
    """
    found = sections(answer, language)
    voted = [entry.text for section in found if section.is_vote for entry in section.entries]
    spans = _differences(tuple(voted))
    hint = text_html(label("members_differ", language), "meta") if any(spans) else ""
    said, place = [], 0
    for section in found:
        own = spans[place : place + len(section.entries)] if section.is_vote else ()
        place += len(section.entries) if section.is_vote else 0
        said.append(_section_html(section, own, answer.language, language))
    return "".join(said) + hint


def _section_html(section: Section, spans: Sequence[Sequence[Span]], spoken: str, language: str) -> str:
    notes = "".join(text_html(note, "found-note") for note in section.notes)
    entries = [
        _entry_html(entry, spans[place] if place < len(spans) else (), spoken, language)
        for place, entry in enumerate(section.entries)
    ]
    listed = f'<ul class="tk-members">{"".join(entries)}</ul>' if entries else ""
    return text_html(section.title, "heading") + (notes + listed if section.notes_first else listed + notes)


def _entry_html(entry: Entry, spans: Sequence[Span], spoken: str, language: str) -> str:
    marks = ""
    if entry.chosen:
        marks += f' <span class="tk-page tk-chosen">✓ {escape(label("member_chosen", language))}</span>'
    if entry.refused:
        marks += f' <span class="tk-page">{escape(label("member_refused", language))}</span>'
    detail = f' <span class="tk-meta">{escape(entry.detail)}</span>' if entry.detail else ""
    head = f'<div class="tk-member-head"><b>{escape(entry.name)}</b>{detail}{marks}</div>'
    text = ""
    if entry.text:
        code = "ja" if spoken == "ja" else "en"
        text = (
            f'<div class="tk-member-text" lang="{code}">{marked_html(entry.text, spans, "tk-differs")}</div>'
        )
    wrong = notice_html(entry.error, "error") if entry.error else ""
    text += "".join(text_html(note, "meta") for note in entry.notes)
    facts = text_html(" · ".join(entry.facts), "meta") if entry.facts else ""
    return f'<li class="tk-member{" tk-taken" if entry.chosen else ""}">{head}{text}{wrong}{facts}</li>'


@lru_cache(maxsize=256)
def _differences(texts: tuple[str, ...]) -> list[list[Span]]:
    """Return where members' answers differ, once for each drawing anew; nowhere where there is too much to compare."""
    if sum(map(len, texts)) > _MOST_COMPARED:
        return [[] for _ in texts]
    return differences(texts)
