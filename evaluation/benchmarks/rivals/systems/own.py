from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from evaluation.benchmarks.rivals.catalog import Model
from evaluation.embedder import embedder_of
from evaluation.retrieval.beir import Beir, BeirDocument
from evaluation.retrieval.scratch import ScratchIndex, scratch_index
from kernel.settings import load_settings
from retrieval.sentence_transformer import SentenceTransformerEmbedder


class Tekio:
    """Hybrid search with the default settings: both legs, learned fusion, late interaction."""

    _embedder: SentenceTransformerEmbedder
    _index: ScratchIndex

    def load(self, model: Model) -> str:
        """Load the embedder of the settings, which is the one of the folder."""
        settings = load_settings()
        self._embedder = embedder_of(settings, lambda text: print(text, file=sys.stderr))
        self._embedder.warm_up()
        return f"{self._embedder.engine.name}; learned fusion, late interaction over kept token vectors"

    def ingest(self, documents: Sequence[BeirDocument], folder: Path) -> None:
        self._index = scratch_index(Beir("own", "", list(documents), [], {}), self._embedder, folder)

    def search(self, query: str, top_k: int) -> list[tuple[str, float]]:
        return self._index.search(query, top_k=top_k, mode="hybrid")


def make(name: str) -> Tekio:
    """Return Tekio as it is by default."""
    return Tekio()
