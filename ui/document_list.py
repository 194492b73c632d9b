"""A list of documents narrowed: by words, by filters, and page by page."""

from __future__ import annotations

from collections.abc import Sequence

from retrieval.errors import UsageError
from retrieval.filter_text import parse_filters
from retrieval.records import DocumentSummary
from ui.plaintext import one_line

_SHOWN_TAGS = 5


def fitting(documents: Sequence[DocumentSummary], wanted: str) -> list[DocumentSummary]:
    """Return the documents of which name, title, format, language or tags hold all words that are wanted."""
    words = wanted.casefold().split()
    return [row for row in documents if all(word in _searched(row) for word in words)]


def narrowed(documents: Sequence[DocumentSummary], where: Sequence[str]) -> list[DocumentSummary]:
    """Return the documents that all filters hold for, as `language=ja`.

    Raises:
        UsageError: a text is no filter, or none of whole documents.
    """
    narrow = parse_filters(where)
    if narrow is None:
        return list(documents)
    if any(text.lstrip().startswith("page") for text in where):
        raise UsageError("'page' is a field of passages: documents are filtered by the others")
    return [row for row in documents if narrow(row)]


def tags_shown(row: DocumentSummary) -> list[str]:
    """Return the first tags of a document as they are shown."""
    return _tags(row)[:_SHOWN_TAGS]


def _tags(row: DocumentSummary) -> list[str]:
    return [f"{one_line(key)}={one_line(value)}" for key, values in row.tags.items() for value in values]


def _searched(row: DocumentSummary) -> str:
    return " ".join((row.document, row.title, row.format, row.language or "", *_tags(row))).casefold()
