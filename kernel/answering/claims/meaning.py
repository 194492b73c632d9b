"""Whether the words that a text lacks are said there by others: "thrown away" by "discarded".

Each word of the claim is held against every token of the text by the embedder's own token vectors, their common mean
taken off; the worst matched word decides, since a claim says more than a text as soon as one of its words has nothing
there to stand for it. A likeness of whole sentences does not tell that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding import EmbedderSignature
from retrieval.late_vectors import TokenCodec

Span = tuple[int, int]


class WordEmbedder(Protocol):
    """Gives the vectors of a text's tokens: `vectors` of shape (t, d) and length one, `offsets` into the text."""

    @property
    def signature(self) -> EmbedderSignature:
        """Names the prefixes that the model was trained with."""

    def token_codec(self) -> TokenCodec:
        """Return the codec, whose mean is that of token vectors."""

    def embed_tokens(self, texts: Sequence[str], *, prefix: str) -> Sequence[Any]:
        """Return for each text its token vectors with their character offsets."""


class WordMeaning:
    """Tells how well a text says words by others. Blocks; call it from a thread."""

    def __init__(self, embedder: WordEmbedder) -> None:
        self._embedder = embedder

    def __call__(self, claim: str, places: Sequence[tuple[str, Sequence[Span]]]) -> list[float]:
        """Return for each text how well it says those words of a claim, by the worst of them, -1 to 1.

        Args:
            claim: a sentence.
            places: texts, each with the spans of the claim's words that it lacks; without any it is 1.
        """
        prefix = self._embedder.signature.passage_prefix
        mean = self._embedder.token_codec().mean
        claimed, *texts = self._embedder.embed_tokens([claim, *(text for text, _ in places)], prefix=prefix)
        asked = _centred(claimed.vectors, mean)
        found = []
        for (_, spans), held in zip(places, texts, strict=True):
            if not len(held.vectors):
                found.append(-1.0)
                continue
            best = (asked @ _centred(held.vectors, mean).T).max(axis=1)
            rows = [
                [row for row, (first, last) in enumerate(claimed.offsets) if first < end and last > start]
                for start, end in spans
            ]
            found.append(min((float(best[each].mean()) if each else -1.0 for each in rows), default=1.0))
        return found


def _centred(vectors: NDArray[np.float32], mean: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = vectors - mean
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9), np.float32)
