"""What a row of the passages' collection holds, made of a chunk, and made a passage of again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.chosen import Chosen
from retrieval.embedding import EmbedderSignature
from retrieval.keyword_tokens import keyword_tokens
from retrieval.markup import without_markup
from retrieval.ranking import Ranked
from retrieval.records import Chunk, Passage, SourceDocument, Tags, context_of, page_at
from retrieval.stores.interface import Hit, Row

COLLECTION = "passages"
FIELDS = (
    "document_id",
    "document",
    "path",
    "title",
    "page",
    "start",
    "end",
    "language",
    "format",
    "text",
    "headings",
    "shown",
    "created",
    "modified",
    "tags",
)
INDEXED = ("language",)


def row_key(document_id: int, number: int) -> str:
    """Name a chunk by its number in its document, from 0."""
    return f"{document_id}:{number}"


def text_digest(signature: EmbedderSignature | None, text: str) -> bytes:
    """Name an embedded text and the embedder that it was embedded by."""
    key = json.dumps(signature.as_dict() if signature else {}).encode()
    return hashlib.sha256(key + text.encode("utf-8", "surrogatepass")).digest()


def context_text(title: str, headings: Sequence[str], text: str) -> str:
    """Return a text as it is embedded and found by words: title and headings, then the text."""
    return without_markup(f"{context_of(title, headings)}\n{text}")


def row_tokens(title: str, headings: Sequence[str], text: str) -> list[str]:
    """Return the tokens that keyword search finds a row by."""
    return keyword_tokens(context_text(title, headings, text))


def row_of(
    document: SourceDocument,
    tags: Tags,
    document_id: int,
    number: int,
    chunk: Chunk,
    vector: NDArray[np.float32],
    digest: bytes | None,
    late: bytes | None,
) -> Row:
    """Return the row of a chunk.

    Args:
        document: that it is of.
        tags: of the document, its own and those that people gave it.
        document_id: of the document.
        number: of the chunk in its document, from 0.
        chunk: what is stored.
        vector: its embedding, shape (dimension,).
        digest: names what was embedded, see `text_digest`.
        late: the packed vectors of its tokens.
    """
    data = {
        "document_id": document_id,
        "document": document.name,
        "path": document.path,
        "title": document.title,
        "page": chunk.page,
        "start": chunk.start,
        "end": chunk.end,
        "language": document.language,
        "format": document.format,
        "headings": list(chunk.headings),
        "text": chunk.text,
        "shown": chunk.shown,
        "created": document.created,
        "modified": document.modified,
        "tags": tags,
    }
    tokens = row_tokens(document.title, chunk.headings, chunk.text)
    return Row(row_key(document_id, number), data, vector, tokens, document_id, digest, late=late)


def found_passage(
    chosen: Chosen,
    rank: int,
    ranked: Ranked,
    vector: NDArray[np.float32],
    page_starts: tuple[int, ...],
    wider: str | None,
) -> Passage:
    """Return the passage of a row that a search chose.

    Args:
        chosen: the row, and the span that is shown.
        rank: its place, from 1.
        ranked: what the search made of it.
        vector: the query's embedding, of length one.
        page_starts: where the pages of its document begin.
        wider: the text of the span, where that is more than the row's.
    """
    hit = chosen.hit
    data: dict[str, Any] = hit.data
    _, start, end = chosen.span
    assert hit.vector is not None
    return Passage(
        id=hit.id,
        document_id=data["document_id"],
        document=data["document"],
        path=data["path"],
        title=data["title"],
        page=data["page"] if wider is None else page_at(page_starts, start),
        start=start,
        end=end,
        headings=tuple(data["headings"]),
        text=data["text"] if wider is None else wider,
        score=ranked.score,
        rank=rank,
        similarity=float(hit.vector @ vector),
        page_starts=page_starts,
        legs=ranked.legs(),
        also_in=chosen.also_in,
        parts=ranked.parts,
        date=data.get("modified") or data.get("created"),
    )


def read_passage(hit: Hit, document_id: int, rank: int, page_starts: tuple[int, ...]) -> Passage:
    """Return the passage of a row that nobody searched for, in its document's order."""
    return Passage(
        id=hit.id,
        document_id=document_id,
        document=hit.data["document"],
        path=hit.data["path"],
        title=hit.data["title"],
        page=hit.data["page"],
        start=hit.data["start"],
        end=hit.data["end"],
        headings=tuple(hit.data["headings"]),
        text=hit.data["text"],
        score=0.0,
        rank=rank,
        similarity=0.0,
        page_starts=page_starts,
    )
