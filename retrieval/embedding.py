"""Texts to vectors. `Embedder` is what the rest of the code knows of an embedding model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class EmbedderSignature:
    """All that must be equal for two vectors to be comparable. It is stored with every index."""

    model: str
    revision: str
    dimension: int
    query_prefix: str
    passage_prefix: str
    normalized: bool
    engine: str

    def as_dict(self) -> dict[str, Any]:
        """Return the signature as plain values, for JSON."""
        return asdict(self)


class Embedder(Protocol):
    """An embedding model with its prefixes. Vectors are float32, of length one, shape (n, dimension)."""

    @property
    def signature(self) -> EmbedderSignature:
        """What identifies the vectors; known without loading the model."""

    @property
    def max_tokens(self) -> int:
        """The longest input in tokens, special tokens and prefix included."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, without special tokens or prefix. Loads the tokenizer only."""

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts that are searched in."""

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts that are searched for."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Texts that were embedded: `vectors` of shape (n, dimension), and the packed vectors of each one's tokens."""

    vectors: NDArray[np.float32]
    late: Sequence[bytes | None]

    def __len__(self) -> int:
        return len(self.vectors)

    def part(self, start: int, end: int) -> Embedded:
        """Return those from `start` to before `end`."""
        return Embedded(self.vectors[start:end], self.late[start:end])

    @staticmethod
    def without_tokens(vectors: NDArray[np.float32]) -> Embedded:
        """Make one of which the tokens' vectors are not kept."""
        return Embedded(vectors, [None] * len(vectors))


Embed = Callable[[Sequence[str]], Embedded]
"""Embeds texts that are searched in."""


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a vector of length one in the same direction; a zero vector stays zero."""
    norm = float(np.linalg.norm(vector))
    return (vector / norm if norm else vector).astype(np.float32)
