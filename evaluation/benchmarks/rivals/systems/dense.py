from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.benchmarks.rivals.catalog import Model
from evaluation.retrieval.beir import BeirDocument


class Dense:
    """Nothing but vectors: `SentenceTransformer.encode` and a flat FAISS index."""

    _model: Any
    _prefixes: Model
    _index: Any
    _names: list[str]

    def load(self, model: Model) -> str:
        from sentence_transformers import SentenceTransformer

        self._prefixes = model
        self._model = SentenceTransformer(model.folder, device="cpu", local_files_only=True)
        self._model.encode(["a first text"])
        return "sentence-transformers, float32; FAISS flat, no words"

    def ingest(self, documents: Sequence[BeirDocument], folder: Path) -> None:
        import faiss

        self._names = [document.id for document in documents]
        vectors = self._model.encode(
            [self._prefixes.passage_prefix + document.whole for document in documents]
        )
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(vectors)
        faiss.write_index(self._index, str(folder / "vectors.faiss"))
        texts = {document.id: document.whole for document in documents}
        (folder / "texts.json").write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")

    def search(self, query: str, top_k: int) -> list[tuple[str, float]]:
        scores, places = self._index.search(self._model.encode([self._prefixes.query_prefix + query]), top_k)
        return [
            (self._names[place], float(score))
            for score, place in zip(scores[0], places[0], strict=True)
            if place >= 0
        ]


def make(name: str) -> Dense:
    """Return the dense baseline."""
    return Dense()
