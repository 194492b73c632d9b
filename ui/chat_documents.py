"""The page's action on whole documents: a summary of one, a comparison of two."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from kernel.documents.results import Comparison, Summary
from retrieval.errors import TekioError
from ui import chat_view as view
from ui.locales import label
from ui.page.here import Here
from ui.plaintext import one_line, plain

if TYPE_CHECKING:
    from kernel.answer import Citation

log = logging.getLogger("tekio.chat")
_KEY = "document_work"
_MOST_SAME = 100

Work = Summary | Comparison | str
"""What came of it; a text is what went wrong."""


def offer_work(here: Here, names: Sequence[str]) -> Work | None:
    """Offer the action; return what the last one gave, which stays until it is closed."""
    if not names:
        return None
    language = here.language
    with st.expander(label("work_with", language), icon=":material/summarize:"):
        first = st.selectbox(label("document", language), names, format_func=one_line, key="work_first")
        others = ["", *(name for name in names if name != first)]
        second = st.selectbox(
            label("compare_with", language),
            others,
            format_func=lambda name: one_line(name) or label("no_comparison", language),
            key="work_second",
        )
        wanted = st.button(label("compare_now" if second else "summarize_now", language), key="work_now")
    if wanted and first:
        with st.spinner(label("working", language)):
            st.session_state[_KEY] = _done(here, first, second)
    found: Work | None = st.session_state.get(_KEY)
    return found


def show_work(work: Work | None, language: str) -> None:
    """Draw what came of the action."""
    if work is None:
        return
    with st.container(border=True):
        if isinstance(work, str):
            st.html(view.notice_html(f"{label('failed', language)}: {work}", "error"))
        else:
            st.html(work_html(work, language))
        st.button(label("close", language), key="work_close", on_click=_forget)


def work_html(work: Summary | Comparison, language: str) -> str:
    """Return a summary or a comparison as HTML in which nothing that a document says is live."""
    notices = "".join(view.notice_html(notice) for notice in work.notices)
    if isinstance(work, Summary):
        title = label("summary_of", language, document=one_line(work.document))
        body = view.text_html(work.summary, "answer") + view.sources_html(work, language)
        return view.text_html(title, "heading") + body + _unsupported(work.unsupported, language) + notices
    title = label("comparison_of", language, first=one_line(work.first), second=one_line(work.second))
    parts = [view.text_html(title, "heading")]
    if work.text:
        parts += [view.text_html(work.text, "answer"), _unsupported(work.unsupported, language)]
    for change in work.changed:
        kinds = ", ".join(label(f"differs_{kind}", language) for kind in change.differs_in)
        figures = [", ".join(side) or "-" for side in (change.first_figures, change.second_figures)]
        told = f"{kinds}: {figures[0]} / {figures[1]}" if figures != ["-", "-"] else kinds
        parts.append(view.text_html(told, "heading") + _quotes([change.first, change.second], language))
    for name, only in ((work.first, work.only_first), (work.second, work.only_second)):
        if only:
            heading = label("only_in", language, document=one_line(name))
            parts.append(view.text_html(heading, "heading") + _quotes(only, language))
    same = _quotes([pair.first for pair in work.same[:_MOST_SAME]], language)
    count = escape(label("same_count", language, count=len(work.same)))
    parts.append(f'<details class="tk-source"><summary>{count}</summary>{same}</details>')
    return "".join(parts) + notices


def _done(here: Here, first: str, second: str) -> Work:
    here.note("compare" if second else "summarize", [first, *filter(None, [second])])
    try:
        if second:
            return here.engine.compare(first, second, variant=None, caller=here.caller)
        return here.engine.summarize(first, variant=None, caller=here.caller)
    except TekioError as error:
        return here.worded(error)
    except Exception as error:
        log.exception("an action on a document failed")
        return here.worded(error)


def _forget() -> None:
    st.session_state.pop(_KEY, None)


def _quotes(citations: Sequence[Citation], language: str) -> str:
    rows = []
    for citation in citations:
        page = f" {label('page', language, page=citation.page)}" if citation.page is not None else ""
        where = escape(one_line(citation.document) + page)
        rows.append(
            f'<div class="tk-quote">{escape(plain(citation.quote).strip())} <span class="tk-meta">{where}</span></div>'
        )
    return "".join(rows)


def _unsupported(sentences: Sequence[str], language: str) -> str:
    if not sentences:
        return ""
    items = "".join(f"<li>{escape(plain(sentence))}</li>" for sentence in sentences)
    title = escape(label("unsupported", language))
    return f'<div class="tk-notice tk-warn"><b>{title}</b><ul>{items}</ul></div>'
