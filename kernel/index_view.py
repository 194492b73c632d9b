"""What stored answers need to know of an index, see `kernel.front.IndexView`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding import unit
from retrieval.passages import PassageIndex


class StateOfIndex:
    """An index as stored answers see it."""

    def __init__(self, index: PassageIndex, vector_of: Callable[[str], NDArray[np.float32]]) -> None:
        self._index = index
        self._vector_of = vector_of

    def identity(self) -> str:
        """Return what tells this index from others; empty where it cannot tell."""
        return self._index.identity()

    def version(self) -> str:
        """Return what changes with all that a search depends on."""
        generation, weights = self._index.version()
        return f"{generation}:{hashlib.sha256(weights.encode()).hexdigest()[:16]}"

    def documents_of(self, passages: Sequence[int]) -> list[int]:
        """Return the ids of the documents of passages, by the passages' ids."""
        return sorted({int(value) for value in self._index.store.field_of(passages, "document_id").values()})

    def vector(self, question: str) -> NDArray[np.float32]:
        """Return a question's vector, of length one."""
        return unit(self._vector_of(question))
