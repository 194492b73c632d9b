"""Collections: documents that are grouped under a name, which is their tag `collection`."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from retrieval.filter_text import among
from retrieval.records import DocumentSummary
from ui.page.here import Here

COLLECTION = "collection"
NO_COLLECTION = ""
"""Stands among names for the documents that are in none."""
_MOST_CHOSEN = 10


def collections_of(documents: Sequence[DocumentSummary]) -> list[str]:
    """Name the collections of documents, in order."""
    return sorted({name for row in documents for name in row.tags.get(COLLECTION, ())})


def within(documents: Sequence[DocumentSummary], names: Sequence[str]) -> list[DocumentSummary]:
    """Return the documents that are in one of some collections; all where none is named."""
    return [row for row in documents if not names or set(names) & set(_held(row))]


def where_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return the filters that hold for what is in one of some collections; none where none is named."""
    return (among(f"tag.{COLLECTION}", [name or None for name in names]),) if names else ()


def choose_collections(here: Here, documents: Sequence[DocumentSummary], key: str) -> list[str]:
    """Offer the collections that there are, and what is in none; return the chosen names, none for all documents.

    The choice outlives a change of page and of language.

    Args:
        here: the page.
        documents: whose collections are offered.
        key: of the choice.
    """
    names = collections_of(documents)
    if not names:
        return []
    if any(_held(row) == (NO_COLLECTION,) for row in documents):
        names.append(NO_COLLECTION)
    # A widget of this key shows its choices in the language in which they were made.
    own = f"{key}_{here.language}"
    held = st.session_state.get(own, st.session_state.get(key, ()))
    # A collection whose last document is gone cannot be chosen any longer.
    st.session_state[own] = [name for name in held if name in names]
    st.session_state[key] = st.multiselect(
        here.say("collections"),
        names,
        format_func=lambda name: name or here.say("in_no_collection"),
        key=own,
        placeholder=here.say("all_collections"),
        max_selections=_MOST_CHOSEN,
    )
    chosen: list[str] = st.session_state[key]
    return chosen


def name_collection(here: Here, documents: Sequence[DocumentSummary], key: str) -> list[str]:
    """Offer to put new documents into a collection, one that there is or a new one; return it as tags.

    Args:
        here: the page.
        documents: whose collections are offered.
        key: of the choice.
    """
    name = st.selectbox(
        here.say("collection"),
        collections_of(documents),
        index=None,
        key=key,
        placeholder=here.say("collection_example"),
        help=here.say("collection_help"),
        accept_new_options=True,
    )
    given = " ".join((name or "").split())
    return [f"{COLLECTION}={given}"] if given else []


def _held(document: DocumentSummary) -> tuple[str, ...]:
    return tuple(document.tags.get(COLLECTION, ())) or (NO_COLLECTION,)
