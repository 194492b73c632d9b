"""A model that reads whether a text says what a sentence claims: a cross-encoder of natural language inference."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.errors import UsageError
from retrieval.model_building import building_in_turn

_BATCH = 16


class EntailmentReader:
    """A cross-encoder with a label for entailment, and mostly one for contradiction, loaded when it is first used."""

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
        """Return for each text how likely it says what is claimed, and how likely it denies it, 0 without a label."""
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
        denied = np.zeros(len(shares)) if self._denies is None else shares[:, self._denies]
        return [
            (float(says), float(denies)) for says, denies in zip(shares[:, self._says], denied, strict=True)
        ]

    def _model(self) -> Any:
        if self._loaded is None:
            from sentence_transformers import CrossEncoder
            from torch import nn

            try:
                with building_in_turn():
                    self._loaded = CrossEncoder(
                        str(self._folder), local_files_only=True, activation_fn=nn.Identity()
                    )
            except (OSError, ValueError) as error:
                raise UsageError(
                    f"the entailment model {self.model} cannot be loaded from {self._folder}: {error}"
                ) from error
        return self._loaded


def _labels(folder: Path, model: str) -> tuple[int, int | None]:
    try:
        names = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("id2label") or {}
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the entailment model {model} has no config.json that can be read in {folder}"
        ) from error
    places = {str(name).lower(): int(place) for place, name in names.items()}
    says = next((place for name, place in places.items() if name.startswith("entail")), None)
    denies = next((place for name, place in places.items() if name.startswith("contradict")), None)
    if says is None or len(places) < 2:
        raise UsageError(
            f"{model} is no entailment model: its classes are {', '.join(places) or 'none'}, "
            "and one must be entailment"
        )
    return says, denies
