"""What an ingest asks of the index. `retrieval` has the one that is kept on disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.records import Chunk, DocumentState, SourceDocument


class DocumentStore(Protocol):
    """Documents with their chunks and vectors; each call is one transaction."""

    def states(self) -> dict[str, DocumentState]:
        """Return what is known of every document, by its absolute path."""

    def touch(self, id: int, *, size: int, mtime_ns: int) -> None:  # noqa: A002 - the column's name
        """Note that a document with the same content has another size or time on disk."""

    def replace(
        self, document: SourceDocument, chunks: Sequence[Chunk], vectors: NDArray[np.float32]
    ) -> None:
        """Insert a document, or put it in place of the one with its path, with all that belonged to it.

        `vectors` has the shape (len(chunks), dimension). Without chunks the document is kept as a row
        that says what became of it.
        """

    def remove(self, path: str) -> None:
        """Remove the document with an absolute path and all that belongs to it."""
