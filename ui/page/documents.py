"""The page of documents: what is in the index, and what can be done with whole documents."""

from __future__ import annotations

import streamlit as st

from ui import chat_view as view
from ui.chat_documents import offer_work, show_work
from ui.page.here import Here


def documents_page(here: Here) -> None:
    """Draw the page."""
    st.html(view.text_html(here.say("page_documents"), "title"))
    documents = here.engine.documents(here.caller) or []
    chunks = sum(row.chunks for row in documents)
    st.html(view.text_html(here.say("documents_count", documents=len(documents), chunks=chunks), "meta"))
    st.html(view.documents_html(documents, here.language))
    work = offer_work(here.engine, [row.document for row in documents], None, here.caller, here.language)
    show_work(work, here.language)
