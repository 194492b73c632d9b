"""The embedding stage: chunks of several documents together, each distinct text once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding import Embedder

KnownVectors = Callable[[Sequence[str]], dict[str, NDArray[np.float32]]]

_SLICE = 128
"""Texts that are embedded at once: enough to sort by length, few enough to show progress and to stop."""
_RECENT = 4096


class CachedEmbedding:
    """Embeds texts that were not embedded before.

    What is in the index is found there (`known`); what was embedded lately and is still on its way there is
    kept here, at most 4,096 vectors.
    """

    def __init__(self, embedder: Embedder, known: KnownVectors) -> None:
        self._embedder = embedder
        self._known = known
        self._recent: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def __call__(
        self, texts: Sequence[str], after_slice: Callable[[int], None] = lambda count: None
    ) -> NDArray[np.float32]:
        """Return the vectors of texts, shape (len(texts), dimension); `after_slice` is told how many were made."""
        distinct = list(dict.fromkeys(texts))
        found = {text: self._recent[text] for text in distinct if text in self._recent}
        found |= self._known([text for text in distinct if text not in found])
        # Longest first over all that is asked for, so that a batch of the embedder has texts of like length.
        missing = sorted((text for text in distinct if text not in found), key=len, reverse=True)
        for start in range(0, len(missing), _SLICE):
            part = missing[start : start + _SLICE]
            found.update(zip(part, self._embedder.embed_passages(part), strict=True))
            after_slice(len(part))
        for text in missing[-_RECENT:]:
            self._recent[text] = found[text]
        while len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        vectors = np.empty((len(texts), self._embedder.signature.dimension), np.float32)
        for row, text in enumerate(texts):
            vectors[row] = found[text]
        return vectors
