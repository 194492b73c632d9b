"""One document: what is known of it, its passages and pages, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import streamlit as st

from ingest.blocks import Outcome
from ingest.report import FileReport
from retrieval.errors import TekioError
from retrieval.filter_text import parse_tags
from retrieval.records import DocumentSummary, document_key
from ui import chat_view as view
from ui.page.here import Here
from ui.page.rights import may_change
from ui.page.uploading import TO_MEND, outcome_html
from ui.plaintext import one_line, plain

_PAGE_OF_PASSAGES = 10
_SAID = "document_said"


def show_document(here: Here, document: DocumentSummary, close: Callable[[], None]) -> None:
    """Draw a document; `close` is called when it is left."""
    key = document_key(document.path)
    here.note("document", [document.document], seen=key)
    with st.container(horizontal=True, vertical_alignment="center"):
        name = escape(one_line(document.document))
        st.html(f'<div class="tk-panel tk-panel-title" data-for="{key}" tabindex="-1">{name}</div>')
        st.button(
            here.say("close"), icon=":material/close:", key="close_document", type="tertiary", on_click=close
        )
    if said := st.session_state.pop(_SAID, ""):
        st.html(said)
    st.html(facts_html(here, document))
    if document.outcome in TO_MEND:
        st.html(
            outcome_html(
                here,
                document.document,
                FileReport(document.path, Outcome(document.outcome), message=document.message),
            )
        )
    if may_change(here):
        _actions(here, document, key)
    names = ["passages", "pages"] if document.format == "pdf" and document.pages else ["passages"]
    tabs = st.tabs([here.say(f"tab_{name}") for name in names])
    with tabs[0]:
        _passages(here, document, key)
    if len(tabs) > 1:
        with tabs[1]:
            _pages(here, document, key)


def facts_html(here: Here, document: DocumentSummary) -> str:
    """Return what is known of a document."""
    tags = ", ".join(f"{key}={value}" for key, values in document.tags.items() for value in values)
    rows = [
        ("title", document.title if document.title != document.document else ""),
        ("date", (document.modified or document.created or "")[:10]),
        ("format", document.format),
        ("document_language", document.language or ""),
        ("pages_count", str(document.pages or "")),
        ("passages_count", f"{document.chunks:,}"),
        ("read_at", document.ingested_at[:16].replace("T", " ")),
        ("tags", tags),
        ("owner", document.access.owner),
    ]
    cells = "".join(
        f"<span>{escape(here.say(f'fact_{name}'))}</span><span>{escape(one_line(value))}</span>"
        for name, value in rows
        if value
    )
    return f'<div class="tk-facts">{cells}</div>'


def _actions(here: Here, document: DocumentSummary, key: str) -> None:
    with st.container(horizontal=True):
        st.button(
            here.say("reread"),
            icon=":material/refresh:",
            key="reread",
            help=here.say("reread_help"),
            on_click=_reread,
            args=(here, document, key),
        )
        with st.popover(here.say("tags"), icon=":material/label:"):
            given = "; ".join(f"{name}={value}" for name, values in document.tags.items() for value in values)
            with st.form(f"tags_{key}", border=False):
                text = st.text_input(
                    here.say("tags_field"), given, max_chars=1000, help=here.say("tags_help")
                )
                if st.form_submit_button(here.say("save")):
                    _retag(here, document, key, text)
                    st.rerun()
        with st.popover(here.say("delete"), icon=":material/delete:"):
            uploaded = here.engine.library.is_upload(document)
            st.html(view.text_html(here.say("delete_upload" if uploaded else "delete_indexed")))
            st.button(
                here.say("delete_now"),
                icon=":material/delete:",
                type="primary",
                key="delete_document",
                on_click=_delete,
                args=(here, key),
            )


def _passages(here: Here, document: DocumentSummary, key: str) -> None:
    pages = max(1, -(-document.chunks // _PAGE_OF_PASSAGES))
    place = 1
    if pages > 1:
        place = int(st.number_input(here.say("part_of", count=pages), 1, pages, 1, key=f"part_{key}"))
    first = (place - 1) * _PAGE_OF_PASSAGES
    try:
        passages = here.engine.passages(
            document, range(first, min(first + _PAGE_OF_PASSAGES, document.chunks))
        )
    except TekioError as error:
        st.html(view.notice_html(here.worded(error), "error"))
        return
    for number, passage in enumerate(passages, first + 1):
        trail = " › ".join(one_line(heading) for heading in passage.headings)
        where = [
            f"{number:,}",
            *([here.say("page", page=passage.page)] if passage.page is not None else []),
            trail,
        ]
        head = view.text_html(" · ".join(part for part in where if part), "meta")
        st.html(f'<div class="tk-passage">{head}{escape(plain(passage.text))}</div>')


def _pages(here: Here, document: DocumentSummary, key: str) -> None:
    count = document.pages or 1
    page = int(st.number_input(here.say("page_number", count=count), 1, count, 1, key=f"page_{key}"))
    try:
        with st.spinner(here.say("drawing_page")):
            image = here.engine.page_image(key, page, None, here.caller)
    except TekioError as error:
        st.html(view.notice_html(here.say("page_not_drawn", reason=here.worded(error)), "warn"))
        return
    st.image(
        image.png, width="stretch", alt=here.say("page_of", document=one_line(document.document), page=page)
    )


def _reread(here: Here, document: DocumentSummary, key: str) -> None:
    try:
        report = here.engine.reread(key, here.caller)
        here.note("reread", [document.document])
        _keep(outcome_html(here, document.document, report))
    except TekioError as error:
        _keep(view.notice_html(here.worded(error), "error"))


def _retag(here: Here, document: DocumentSummary, key: str, text: str) -> None:
    given = [part for part in text.replace("；", ";").split(";") if part.strip()]
    try:
        here.engine.retag(key, parse_tags(given), here.caller)
        here.note("tags", [document.document])
    except TekioError as error:
        _keep(view.notice_html(here.worded(error), "error"))


def _delete(here: Here, key: str) -> None:
    try:
        gone = here.engine.library.delete(key, caller=here.caller)
        here.note("delete", [gone.document])
        said = here.say("deleted", document=gone.document, passages=gone.passages, answers=gone.answers)
        st.session_state["library_said"] = view.notice_html(said)
    except TekioError as error:
        _keep(view.notice_html(here.worded(error), "error"))


def _keep(said: str) -> None:
    st.session_state[_SAID] = said
