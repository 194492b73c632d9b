"""Passages ranked again by a cross-encoder: a model that reads the question and a passage together."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import UsageError
from retrieval.model_building import building_in_turn

_BATCH = 16


class CrossEncoderReranker:
    """A cross-encoder of sentence-transformers, loaded when it is first used, by one thread at a time.

    Source: Nogueira and Cho, "Passage Re-ranking with BERT", 2019.
    """

    def __init__(self, folder: Path, *, model: str) -> None:
        """Take a model's folder.

        Raises:
            UsageError: it gives something else than one score for a pair of texts.
        """
        self.model = model
        self._folder = folder
        self._lock = threading.Lock()
        self._loaded: Any = None
        _check(folder, model)

    def __call__(self, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return how well each text answers the query, float32 of shape (len(texts),), more is better."""
        if not texts:
            return np.empty(0, np.float32)
        with self._lock:
            scores = self._model().predict(
                [(query, text) for text in texts], batch_size=_BATCH, show_progress_bar=False
            )
        return np.asarray(scores, np.float32).reshape(len(texts))

    def _model(self) -> Any:
        if self._loaded is None:
            from sentence_transformers import CrossEncoder

            with building_in_turn():
                self._loaded = CrossEncoder(str(self._folder), local_files_only=True)
        return self._loaded


def _check(folder: Path, model: str) -> None:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"the reranker {model} has no config.json that can be read in {folder}") from error
    architectures = config.get("architectures") or []
    labels = config.get("num_labels") or len(config.get("id2label") or {})
    if not any("SequenceClassification" in name for name in architectures) or labels != 1:
        raise UsageError(
            f"{model} is no reranker: a cross-encoder that gives one score for a question and a passage is needed"
        )
