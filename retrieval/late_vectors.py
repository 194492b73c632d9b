"""The vectors of a passage's tokens, packed to a bit a value, and the score by which they rank passages.

Late interaction (Khattab and Zaharia, "ColBERT", SIGIR 2020): each token of the query is held against every token
of the passage, and the best matches are averaged. Here the tokens' vectors are the last hidden states of the
embedder itself, which was not trained for it. They all point much the same way, so their mean is taken off; then
they are turned by a fixed random rotation, so that each value tells as much as any other, and only the values'
signs are kept. The query keeps its values (asymmetric; as in Gao and Long, "RaBitQ", SIGMOD 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding import Embedded

Floats = NDArray[np.float32]

_SEED = 20261127


@dataclass(frozen=True)
class TokenCodec:
    """How the token vectors of an embedder are packed; `mean`, shape (hidden,), is taken off them."""

    mean: Floats

    @staticmethod
    def fit(vectors: Floats) -> TokenCodec:
        """Learn a codec from token vectors of shape (n, hidden), a few thousand of them or more."""
        return TokenCodec(vectors.mean(axis=0).astype(np.float32))

    def to_bytes(self) -> bytes:
        """Return the codec as it is kept with an index."""
        return self.mean.astype("<f4").tobytes()

    @staticmethod
    def from_bytes(data: bytes) -> TokenCodec:
        """Read what `to_bytes` wrote."""
        return TokenCodec(np.frombuffer(data, "<f4").astype(np.float32))

    def pack(self, vectors: Floats) -> bytes:
        """Return token vectors of shape (t, hidden) as t * ceil(hidden / 8) bytes."""
        return np.packbits(self._turned(vectors) > 0, axis=1).tobytes()

    def scores(self, query: Floats, passages: Sequence[bytes]) -> Floats:
        """Return the late interaction of a query with packed passages, shape (len(passages),).

        It estimates the mean over the query's tokens of the greatest cosine, the mean vector taken off: between
        -1 and 1. A passage without tokens scores -1.

        Args:
            query: token vectors, shape (q, hidden).
            passages: what `pack` gave.
        """
        lengths = np.array([self.length(packed) for packed in passages], np.int64)
        values = np.full(len(passages), -1.0, np.float32)
        filled = np.flatnonzero(lengths)
        if not len(query) or not len(filled):
            return values
        matches = self.matches(query, b"".join(passages))
        starts = np.cumsum(np.concatenate([[0], lengths[filled][:-1]]))
        values[filled] = np.maximum.reduceat(matches, starts, axis=0).mean(axis=1)
        return values

    def matches(self, query: Floats, packed: bytes) -> Floats:
        """Return the estimated cosines of packed tokens and a query's, the mean vector taken off, shape (t, q)."""
        rows = np.frombuffer(packed, np.uint8).reshape(-1, -(-len(self.mean) // 8))
        bits = np.unpackbits(rows, axis=1, count=len(self.mean)).astype(np.float32)
        asked = self._turned(query)
        # A sign vector s is 2 * bits - 1.
        return np.asarray((bits @ (2 * asked.T) - asked.sum(axis=1)) / self.scale, np.float32)

    def length(self, packed: bytes) -> int:
        """Return how many tokens are packed."""
        return len(packed) // -(-len(self.mean) // 8)

    @property
    def scale(self) -> float:
        """What the product of a turned vector with signs is to be divided by: on the average, their cosine's share."""
        return _MEAN_PROJECTION * float(np.sqrt(len(self.mean)))

    @property
    def rotation(self) -> Floats:
        """By which centred vectors of length one are turned, shape (hidden, hidden)."""
        return _rotation(len(self.mean))

    def signs(self, packed: bytes) -> Floats:
        """Return packed token vectors as -1 and 1, shape (t, hidden)."""
        bits = np.frombuffer(packed, np.uint8).reshape(-1, -(-len(self.mean) // 8))
        return 2 * np.unpackbits(bits, axis=1, count=len(self.mean)).astype(np.float32) - 1

    def _turned(self, vectors: Floats) -> Floats:
        centred = vectors - self.mean
        lengths = np.linalg.norm(centred, axis=1, keepdims=True)
        return np.asarray(centred / np.maximum(lengths, 1e-9) @ _rotation(len(self.mean)), np.float32)


@runtime_checkable
class TokenEmbedder(Protocol):
    """An embedder that gives the vectors of tokens with those of the texts."""

    def embed_packed(self, texts: Sequence[str], codec: TokenCodec) -> Embedded:
        """Embed texts that are searched in, and pack the vectors of their tokens."""

    def token_codec(self) -> TokenCodec:
        """Return how its token vectors are packed."""


_MEAN_PROJECTION = float(np.sqrt(2 / np.pi))
"""Of a random direction onto the vector of its signs, for many dimensions."""


@lru_cache(maxsize=4)
def _rotation(size: int) -> Floats:
    """Return a random rotation, the same one each time; shape (size, size)."""
    drawn = np.random.default_rng(_SEED).standard_normal((size, size))
    turned, upper = np.linalg.qr(drawn)
    return np.ascontiguousarray(turned * np.sign(np.diag(upper)), np.float32)
