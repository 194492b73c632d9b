"""What is kept and what is found: documents, chunks and passages.

Every span is a pair of character offsets into the text of the document as it was read
(`SourceDocument.text`), so that `text[start:end]` is the very text that is shown and cited.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from retrieval.access import PUBLIC, Access

CONTEXT_SEPARATOR = " > "

Tags = Mapping[str, tuple[str, ...]]
"""Key words by their key."""


def merged_tags(*parts: Tags) -> dict[str, tuple[str, ...]]:
    """Return tags together; values of one key are put together, each once."""
    merged: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for key, values in part.items():
            merged[key] = tuple(dict.fromkeys((*merged.get(key, ()), *values)))
    return merged


def document_key(path: str) -> str:
    """Return the id of a document in addresses: the same however often it is read anew, and no name of its path.

    Args:
        path: the absolute path that identifies the document in the index.
    """
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def page_at(page_starts: tuple[int, ...], offset: int) -> int | None:
    """Return the 1-based page that holds a character offset, or None for a document without pages."""
    if not page_starts:
        return None
    return max(1, bisect_right(page_starts, offset))


def context_parts(title: str, headings: Sequence[str]) -> list[str]:
    """Return the title and headings that a text stands under, each once."""
    return [part for part in dict.fromkeys((title, *headings)) if part]


def context_of(title: str, headings: Sequence[str]) -> str:
    """Return them as one line, as it is put before a text when that is embedded, indexed or compared."""
    return CONTEXT_SEPARATOR.join(context_parts(title, headings))


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document that is embedded as one: `document.text[start:end] == text`.

    `shown` is the span that a search gives back in its place, when that is larger: the sentences around it,
    or the section that it is a part of. It holds the chunk's own span.
    """

    text: str
    start: int
    end: int
    page: int | None = None
    headings: tuple[str, ...] = ()
    shown: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """One file as it was read.

    `path` is absolute and identifies the document; `name` is the path relative to the folder that was
    ingested, and is what people are shown. `page_starts[i]` is the offset at which page `i + 1` begins.
    `created` and `modified` are ISO 8601. `tags` are the document's own key words, `given_tags` those that
    a person gave it; a search filters on both. `engines` says which engine read which pages. `recipe`
    names how it was read and cut: a document of another recipe is read anew. `access` says who may read it.
    """

    path: str
    name: str
    title: str
    format: str
    text: str
    content_hash: str
    size: int
    mtime_ns: int
    encoding: str | None = None
    language: str | None = None
    page_starts: tuple[int, ...] = ()
    empty_pages: tuple[int, ...] = ()
    outcome: str = "ok"
    message: str = ""
    created: str | None = None
    modified: str | None = None
    tags: Tags = field(default_factory=dict)
    given_tags: Tags = field(default_factory=dict)
    engines: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    recipe: str = ""
    access: Access = PUBLIC


@dataclass(frozen=True, slots=True)
class DocumentState:
    """What an ingest needs to know of a document that is already in the index."""

    id: int
    path: str
    name: str
    content_hash: str
    size: int
    mtime_ns: int
    chunks: int
    pages: int | None
    empty_pages: tuple[int, ...]
    encoding: str | None
    outcome: str
    message: str
    title: str = ""
    given_tags: Tags = field(default_factory=dict)
    engines: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    recipe: str = ""
    access: Access = PUBLIC


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    """A row of the list of documents; `message` is the reason for an outcome that is not plainly right."""

    id: int
    document: str
    path: str
    title: str
    format: str
    language: str | None
    pages: int | None
    chunks: int
    characters: int
    outcome: str
    ingested_at: str
    created: str | None = None
    modified: str | None = None
    tags: Tags = field(default_factory=dict)
    access: Access = PUBLIC
    message: str = ""


@dataclass(frozen=True, slots=True)
class LegScore:
    """What a leg of the search says of a passage.

    `score` is its own, `rank` the place that it gives among all candidates, `weight` what it counts in the fusion.
    """

    score: float
    rank: int
    weight: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that a search returned. `score` is comparable within one search only; `similarity` is the
    cosine of the question's and the passage's vectors; `legs` say what each leg of the search made of it; `also_in`
    are other documents in which the same text stands; `parts` are the ranks that the parts of the question give it,
    where these were searched for too; `date` is when its document was last changed, as the document says."""

    id: int
    document_id: int
    document: str
    path: str
    title: str
    page: int | None
    start: int
    end: int
    headings: tuple[str, ...]
    text: str
    score: float
    rank: int
    similarity: float
    page_starts: tuple[int, ...] = ()
    legs: Mapping[str, LegScore] = field(default_factory=dict)
    also_in: tuple[str, ...] = ()
    parts: Mapping[str, int] = field(default_factory=dict)
    date: str | None = None

    def page_of(self, offset: int) -> int | None:
        """Return the page that holds an offset into the document's text."""
        return page_at(self.page_starts, offset)
