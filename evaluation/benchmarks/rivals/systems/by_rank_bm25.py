from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.benchmarks.rivals.catalog import Model
from evaluation.retrieval.beir import BeirDocument

_PIECE = 8_000  # characters; the library takes 49,149 bytes at most


class RankBm25:
    """`BM25Okapi` over the words that a function cuts. It writes nothing to the disk."""

    _index: Any
    _names: list[str]

    def __init__(self, words: Callable[[str], list[str]], about: str) -> None:
        self._words = words
        self._about = about

    def load(self, model: Model) -> str:
        self._words("最初の文 a first text")
        return f"no embedder; BM25Okapi over {self._about}"

    def ingest(self, documents: Sequence[BeirDocument], folder: Path) -> None:
        from rank_bm25 import BM25Okapi

        self._names = [document.id for document in documents]
        self._index = BM25Okapi([self._words(document.whole) for document in documents])

    def search(self, query: str, top_k: int) -> list[tuple[str, float]]:
        scores = self._index.get_scores(self._words(query))
        best = np.argsort(-scores, kind="stable")[:top_k]
        return [(self._names[place], float(scores[place])) for place in best if scores[place] > 0]


def make(name: str) -> RankBm25:
    """Return rank-bm25 over words between spaces, or over those of Sudachi."""
    if name.endswith("sudachi"):
        return RankBm25(_sudachi(), "Sudachi's short words in their normalised form")
    return RankBm25(lambda text: text.lower().split(), "lower-case words between spaces")


def _sudachi() -> Callable[[str], list[str]]:
    from sudachipy import Dictionary, SplitMode

    tokenizer = Dictionary(dict="core").create(mode=SplitMode.A)

    def words(text: str) -> list[str]:
        pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
        return [
            word.normalized_form().lower()
            for piece in pieces
            for word in tokenizer.tokenize(piece)
            if not word.surface().isspace()
        ]

    return words
