"""A source beside its answer: the passage with the cited span marked, what stands around it, and why it was found."""

from __future__ import annotations

from html import escape

import streamlit as st

from kernel.answer import AnswerPassage, Citation
from retrieval.errors import TekioError
from ui import chat_view as view
from ui.page.here import Here, icon_button
from ui.page.talk_state import Talk
from ui.page.turn import Turn
from ui.plaintext import one_line, plain


def source_of(turn: Turn, marker: int) -> tuple[AnswerPassage, list[Citation]] | None:
    """Return the passage that a marker of a turn names, with what is cited of it; None where there is none."""
    answer = turn.answer
    if answer is None or not 1 <= marker <= len(answer.passages):
        return None
    return answer.passages[marker - 1], [each for each in answer.citations if each.marker == marker]


def show(here: Here, talk: Talk, opened: tuple[int, int]) -> None:
    """Draw the panel of a source, as (turn, marker)."""
    place, marker = opened
    turn = talk.turns[place]
    found = source_of(turn, marker)
    assert found is not None
    assert turn.answer is not None
    passage, citations = found
    here.note("source", [passage.document], seen=(talk.name, place, marker))
    with st.container(border=True, key="source"):
        _bar(here, talk, place, marker, len(turn.answer.passages))
        st.html(title_html(here, passage, place, marker))
        if not _shows_page(here, passage, citations, place):
            before, after, there = here.engine.around(passage, here.caller)
            if not there:
                st.html(view.notice_html(here.say("source_gone"), "warn"))
            st.html(text_html(passage, citations, before, after))
        st.html(facts_html(here, passage, citations))


def title_html(here: Here, passage: AnswerPassage, place: int, marker: int) -> str:
    """Return the head of a panel; it takes the focus when the panel opens."""
    name, title = one_line(passage.document), one_line(passage.title)
    page = view.text_html(here.say("page", page=passage.page), "meta") if passage.page is not None else ""
    other = view.text_html(title, "meta") if title and title != name else ""
    trail = " › ".join(one_line(heading) for heading in passage.headings)
    headings = view.text_html(trail, "meta") if trail else ""
    said = escape(here.say("source_number", number=marker), quote=True)
    return (
        f'<section class="tk-panel" data-for="{place}:{marker}" tabindex="-1" aria-label="{said}">'
        f'<div class="tk-panel-title"><span class="tk-badge">{marker}</span> {escape(name)}</div>'
        f"{other}{page}{headings}</section>"
    )


def text_html(passage: AnswerPassage, citations: list[Citation], before: str, after: str) -> str:
    """Return the passage with what is cited of it marked, between what stands before and after it."""
    spans = [span for each in citations if (span := view.quote_span(passage, each)) is not None]
    marked = view.marked_html(passage.text, spans, "tk-highlight")
    around = [f'<span class="tk-around">{escape(plain(text))}</span>' for text in (before, after)]
    if before:
        around[0] = f'<span class="tk-around">… {escape(plain(before.lstrip()))}</span>'
    if after:
        around[1] = f'<span class="tk-around">{escape(plain(after.rstrip()))} …</span>'
    return f'<div class="tk-passage">{around[0]}{marked}{around[1]}</div>'


def facts_html(here: Here, passage: AnswerPassage, citations: list[Citation]) -> str:
    """Return what is known of a passage: its date, its score, why it was found, where else it stands."""
    rows = []
    if passage.date:
        rows.append((here.say("date"), passage.date[:10]))
    if support := max((each.score for each in citations), default=0):
        rows.append((here.say("support"), f"{support:.0%}"))
    rows.append((here.say("score"), f"{passage.score:.3f}"))
    found = [
        here.say(f"leg_{name}", rank=leg.rank)
        for name, leg in passage.found_by.items()
        if name in ("dense", "keyword", "late", "cross")
    ]
    if found:
        rows.append((here.say("why_found"), " · ".join(found)))
    if not passage.used:
        rows.append((here.say("in_prompt"), here.say("left_out")))
    if passage.also_in:
        rows.append((here.say("also"), one_line(", ".join(passage.also_in))))
    cells = "".join(f"<span>{escape(name)}</span><span>{escape(value)}</span>" for name, value in rows)
    return f'<div class="tk-facts">{cells}</div>'


def _shows_page(here: Here, passage: AnswerPassage, citations: list[Citation], place: int) -> bool:
    """Draw the page of a PDF with the span marked, where there is one and it is wanted; say whether it was drawn."""
    page = citations[0].page if citations else passage.page
    if page is None or not passage.document_id or not passage.document.lower().endswith(".pdf"):
        return False
    shown = st.segmented_control(
        here.say("how_shown"),
        ["as_page", "as_text"],
        format_func=here.say,
        default="as_page",
        required=True,
        key=f"shown_{place}",
        label_visibility="collapsed",
    )
    if shown == "as_text":
        return False
    cited = citations[0] if citations else passage
    span = cited.start, cited.end
    try:
        with st.spinner(here.say("drawing_page")):
            image = here.engine.page_image(passage.document_id, page, span, here.caller)
    except TekioError as error:
        st.html(view.text_html(here.say("page_not_drawn", reason=here.worded(error)), "meta"))
        return False
    alt = here.say("page_of", document=one_line(passage.document), page=page)
    st.image(image.png, width="stretch", alt=alt)
    return True


def _bar(here: Here, talk: Talk, place: int, marker: int, count: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        for step, icon, key in ((-1, "chevron_left", "previous_source"), (1, "chevron_right", "next_source")):
            icon_button(
                here.say(key),
                icon,
                key,
                on_click=_open,
                args=(talk, (place, marker + step)),
                disabled=not 1 <= marker + step <= count,
            )
        st.html(
            view.text_html(here.say("source_of_count", number=marker, count=count), "meta"), width="content"
        )
        st.button(
            here.say("close"),
            icon=":material/close:",
            key="close_source",
            type="tertiary",
            on_click=_open,
            args=(talk, None),
        )


def _open(talk: Talk, source: tuple[int, int] | None) -> None:
    talk.opened = source
