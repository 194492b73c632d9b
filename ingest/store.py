"""What an ingest asks of the index. `retrieval` has the one that is kept on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.access import Access
from retrieval.records import Chunk, DocumentState, SourceDocument, Tags


class DocumentStore(Protocol):
    """Documents with their chunks and vectors; each call is one transaction."""

    def states(self) -> dict[str, DocumentState]:
        """Return what is known of every document, by its absolute path."""

    def touch(self, document_id: int, *, size: int, mtime_ns: int) -> None:
        """Note that a document with the same content has another size or time on disk."""

    def move(self, document_id: int, *, path: str, name: str, title: str) -> None:
        """Note that a document's file has another path, name and perhaps title."""

    def tag(self, document_id: int, given_tags: Tags) -> None:
        """Replace the tags that a person gave a document."""

    def share(self, document_id: int, access: Access) -> None:
        """Set who may read a document."""

    def known_vectors(self, texts: Sequence[str]) -> Mapping[str, tuple[NDArray[np.float32], bytes | None]]:
        """Return the vectors of those texts that were embedded before for a chunk that is here.

        Each comes with the packed vectors of its tokens.
        """

    def replace(
        self,
        document: SourceDocument,
        chunks: Sequence[Chunk],
        vectors: NDArray[np.float32],
        texts: Sequence[str] = (),
        late: Sequence[bytes | None] = (),
    ) -> None:
        """Insert a document, or put it in place of the one with its path, with all that belonged to it.

        `vectors` has the shape (len(chunks), dimension), `texts` are what they are of, `late` the
        packed vectors of their tokens. Without chunks the
        document is kept as a row that says what became of it.
        """

    def remove(self, path: str) -> None:
        """Remove the document with an absolute path and all that belongs to it."""
