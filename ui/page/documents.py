"""The page of documents: what is in the index, taking in more, and each one looked at."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from retrieval.records import DocumentSummary, document_key
from ui import chat_view as view
from ui.chat_documents import offer_work, show_work
from ui.document_list import fitting, tags_shown
from ui.page.collections import choose_collections, within
from ui.page.document import show_document
from ui.page.here import Here
from ui.page.untaken import show_untaken
from ui.page.uploading import TO_MEND, offer_upload
from ui.plaintext import one_line

_OPENED = "opened_document"
OUTCOMES = (
    "ok",
    "partial",
    "unchanged",
    "no_text_layer",
    "empty",
    "encrypted",
    "unsupported",
    "failed",
    "removed",
)


def documents_page(here: Here) -> None:
    """Draw the page."""
    st.html(view.text_html(here.say("page_documents"), "title"))
    documents = here.engine.documents(here.caller) or []
    offer_upload(here, documents)
    if not documents:
        st.html(view.notice_html(here.say("no_documents")))
        show_untaken(here)
        return
    opened = here.heard.document or st.session_state.get(_OPENED, "")
    st.session_state[_OPENED] = opened
    found = next((row for row in documents if document_key(row.path) == opened), None)
    if found is None:
        _list(here, documents, "")
    else:
        left, right = st.columns([1, 1], gap="medium")
        with left:
            _list(here, documents, opened)
        with right, st.container(border=True, key="source"):
            show_document(here, found, _close)
    show_untaken(here)
    work = offer_work(here, [row.document for row in documents])
    show_work(work, here.language)


def documents_html(here: Here, documents: Sequence[DocumentSummary], opened: str) -> str:
    """Return the list by folders; of very many the first ones. What is not plainly right says so, and what to do."""
    rows = []
    by_folder = sorted(documents, key=lambda row: (folder_of(row), row.document, row.path))
    folder = ""
    for row in by_folder[: view.LISTED_DOCUMENTS]:
        if folder_of(row) != folder:
            folder = folder_of(row)
            rows.append(f'<div class="tk-folder">{escape(one_line(folder))}</div>')
        key = document_key(row.path)
        facts = [row.format, here.say("chunks", chunks=row.chunks), *([] if opened else tags_shown(row))]
        if row.outcome != "ok":
            facts.insert(0, here.say(f"outcome_{row.outcome}") if row.outcome in OUTCOMES else row.outcome)
        current = ' aria-current="true"' if key == opened else ""
        rows.append(
            f'<button type="button" class="tk-document tk-open" data-document="{key}"{current}>'
            f'<span class="tk-name">{escape(one_line(row.document))}</span>'
            f'<span class="tk-meta">{escape(" · ".join(facts))}</span></button>'
        )
        if row.outcome in TO_MEND:
            reason = (here.worded(row.message), here.say(f"advice_for_{row.outcome}"))
            rows.append(view.text_html(" · ".join(one_line(part) for part in reason if part), "meta"))
    more = len(documents) - view.LISTED_DOCUMENTS
    rest = view.text_html(here.say("more", count=more), "meta") if more > 0 else ""
    return f'<div class="tk-documents">{"".join(rows)}{rest}</div>'


def folder_of(row: DocumentSummary) -> str:
    """Return the folder in a document's name, with slashes; empty for none."""
    return row.document.rpartition("/")[0]


def _list(here: Here, documents: Sequence[DocumentSummary], opened: str) -> None:
    wanted = st.text_input(
        here.say("filter_documents"),
        key="filter_documents",
        max_chars=200,
        placeholder=here.say("filter_documents"),
        label_visibility="collapsed",
        icon=":material/search:",
    )
    shown = fitting(within(documents, choose_collections(here, documents, "listed_collections")), wanted)
    chunks = sum(row.chunks for row in shown)
    st.html(view.text_html(here.say("documents_count", documents=len(shown), chunks=chunks), "meta"))
    st.html(documents_html(here, shown, opened))


def _close() -> None:
    st.session_state[_OPENED] = ""
