from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.benchmarks.rivals.catalog import Model
from evaluation.retrieval.beir import BeirDocument


class Txtai:
    """`Embeddings(hybrid=True, content=True)`: FAISS, its BM25 with normalised scores, and half the weight for each."""

    _index: Any

    def load(self, model: Model) -> str:
        from txtai import Embeddings

        self._index = Embeddings(
            path=model.folder,
            instructions={"query": model.query_prefix, "data": model.passage_prefix},
            hybrid=True,
            content=True,
        )
        self._index.batchtransform(["a first text"], "data")
        return "transformers, float32; hybrid=True, content=True, weights 0.5 and 0.5"

    def ingest(self, documents: Sequence[BeirDocument], folder: Path) -> None:
        self._index.index((document.id, document.whole, None) for document in documents)
        self._index.save(str(folder))

    def search(self, query: str, top_k: int) -> list[tuple[str, float]]:
        return [(str(row["id"]), float(row["score"])) for row in self._index.search(query, top_k)]


def make(name: str) -> Txtai:
    """Return txtai."""
    return Txtai()
