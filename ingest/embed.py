"""The embedding stage: chunks of several documents together, each distinct text once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding import Embed, Embedded, Embedder
from retrieval.late_vectors import TokenCodec, TokenEmbedder

Vector = tuple[NDArray[np.float32], bytes | None]
KnownVectors = Callable[[Sequence[str]], Mapping[str, Vector]]
"""Gives the vectors of texts that were embedded before, each with the packed vectors of its tokens."""

_SLICE = 128
"""Texts that are embedded at once: enough to sort by length, few enough to show progress and to stop."""
_RECENT = 4096


class CachedEmbedding:
    """Embeds texts that were not embedded before.

    What is in the index is found there (`known`); what was embedded lately and is still on its way there is
    kept here, at most 4,096 vectors.
    """

    def __init__(self, embed: Embed, known: KnownVectors, dimension: int) -> None:
        self._embed = embed
        self._known = known
        self._dimension = dimension
        self._recent: OrderedDict[str, Vector] = OrderedDict()

    def __call__(
        self, texts: Sequence[str], after_slice: Callable[[int], None] = lambda count: None
    ) -> Embedded:
        """Return the vectors of texts; `after_slice` is told how many were made."""
        distinct = list(dict.fromkeys(texts))
        found = {text: self._recent[text] for text in distinct if text in self._recent}
        found.update(self._known([text for text in distinct if text not in found]))
        # Longest first over all that is asked for, so that a batch of the embedder has texts of like length.
        missing = sorted((text for text in distinct if text not in found), key=len, reverse=True)
        for start in range(0, len(missing), _SLICE):
            part = missing[start : start + _SLICE]
            made = self._embed(part)
            found.update(zip(part, zip(made.vectors, made.late, strict=True), strict=True))
            after_slice(len(part))
        for text in missing[-_RECENT:]:
            self._recent[text] = found[text]
        while len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        vectors = np.empty((len(texts), self._dimension), np.float32)
        for row, text in enumerate(texts):
            vectors[row] = found[text][0]
        return Embedded(vectors, [found[text][1] for text in texts])


def passage_embedding(embedder: Embedder, codec: TokenCodec | None) -> Embed:
    """Return what embeds passages; with a codec the vectors of their tokens are kept too, where it can be."""
    if codec is not None and isinstance(embedder, TokenEmbedder):
        return partial(embedder.embed_packed, codec=codec)
    return lambda texts: Embedded.without_tokens(embedder.embed_passages(texts))
