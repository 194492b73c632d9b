"""A model that reads whether a text says what a sentence claims: a cross-encoder of natural language inference."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.errors import UsageError

_BATCH = 16


class EntailmentReader:
    """A cross-encoder with a label for entailment and one for contradiction, loaded when it is first used."""

    def __init__(self, folder: Path, *, model: str) -> None:
        """Take a model's folder.

        Raises:
            UsageError: its labels are not those of natural language inference.
        """
        self.model = model
        self._folder = folder
        self._lock = threading.Lock()
        self._loaded: Any = None
        self._says, self._denies = _labels(folder, model)

    def __call__(self, claim: str, texts: Sequence[str]) -> list[tuple[float, float]]:
        """Return for each text how likely it says what is claimed, and how likely it denies it."""
        if not texts:
            return []
        with self._lock:
            logits = np.asarray(
                self._model().predict(
                    [(text, claim) for text in texts], batch_size=_BATCH, show_progress_bar=False
                ),
                np.float64,
            )
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return [(float(row[self._says]), float(row[self._denies])) for row in shares]

    def _model(self) -> Any:
        if self._loaded is None:
            from sentence_transformers import CrossEncoder
            from torch import nn

            self._loaded = CrossEncoder(str(self._folder), local_files_only=True, activation_fn=nn.Identity())
        return self._loaded


def _labels(folder: Path, model: str) -> tuple[int, int]:
    try:
        names = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("id2label") or {}
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the entailment model {model} has no config.json that can be read in {folder}"
        ) from error
    places = {str(name).lower(): int(place) for place, name in names.items()}
    says = next((place for name, place in places.items() if name.startswith("entail")), None)
    denies = next((place for name, place in places.items() if name.startswith("contradict")), None)
    if says is None or denies is None:
        raise UsageError(
            f"{model} is no entailment model: its labels are {', '.join(sorted(places)) or 'not named'}, "
            "not entailment and contradiction"
        )
    return says, denies
