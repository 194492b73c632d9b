"""What the crash test kills: an ingest with the real index, whose vectors are looked up and not computed.

So nearly all of its time goes into reading, writing and saving, which is where a kill could do harm.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import faiss  # noqa: F401 - loaded here once, not in each child
import numpy as np
from numpy.typing import NDArray

from ingest.blocks import ReadOptions
from ingest.pipeline import Plan, ingest_paths
from ingest.prepare import Preparation
from ingest.report import IngestReport
from ingest.strategies import Chunking
from retrieval.embedding import EmbedderSignature
from retrieval.passages import PassageIndex

SIGNATURE = EmbedderSignature("looked-up", "1", 32, "", "", True, "none")


class LookedUp:
    """Gives each text a vector of its own, by its hash."""

    signature = SIGNATURE
    max_tokens = 512

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return count_words(texts)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([vector_of(text) for text in texts], np.float32).reshape(-1, SIGNATURE.dimension)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.embed_passages(texts)


def vector_of(text: str) -> NDArray[np.float32]:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    vector = np.random.default_rng(seed).normal(size=SIGNATURE.dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def count_words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def ingest(index: Path, root: Path) -> IngestReport:
    """Bring an index in step with a folder."""
    preparation = Preparation(count_words, Chunking(max_tokens=40), ReadOptions(), 2**24, 10**6)
    store = PassageIndex(index, SIGNATURE, create=True)
    try:
        with store.writing():
            return ingest_paths([root], store=store, embedder=LookedUp(), plan=Plan(preparation, prune=True))
    finally:
        store.close()


def run(index: str, root: str) -> None:
    """Ingest, in a process of its own."""
    ingest(Path(index), Path(root))
