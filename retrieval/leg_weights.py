"""The weights of the legs of a search that an index has learned, kept with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis import detect_language
from retrieval.embedding import unit
from retrieval.filters import Where
from retrieval.ranking import DEFAULT_WEIGHTS, Query, Ranker
from retrieval.stores.interface import Collection
from retrieval.weights import LEAST_QUESTIONS, Trial, learn_weights, pseudo_question

EmbedQuery = Callable[[str], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Gives the vector of a text and those of its tokens."""

WEIGHTS_KEY = "leg_weights"
_QUESTIONS = 100
"""Made-up questions of a language, by which the legs are weighed."""
_DEPTH = 100
_CHANGED = 0.2
"""The share of passages by which an index must have grown or shrunk to be weighed anew."""


class LegWeights:
    """What each leg is worth on one collection, whose data has the fields `language` and `text`."""

    def __init__(self, store: Collection) -> None:
        self._store = store

    def learned(self) -> dict[str, Any]:
        """Return what was learned for each language: the weights, and how well each leg did alone."""
        return dict(self._held().get("languages", {}))

    def of(self, query: str) -> Mapping[str, float]:
        """Return the weights for a query: those of its language, or of the only one that there is."""
        learned = self.learned()
        found = next(iter(learned.values())) if len(learned) == 1 else learned.get(detect_language(query))
        return DEFAULT_WEIGHTS if found is None else dict(found["weights"])

    def forget(self) -> None:
        """Forget what was learned, so that it is learned anew."""
        self._store.database.set_meta(WEIGHTS_KEY, "{}")

    def learn(self, ranker: Ranker, embed_query: EmbedQuery, *, say: Callable[[str], None]) -> None:
        """Learn the weights, where the passages became other than they were at the last time.

        Args:
            ranker: of the collection.
            embed_query: gives the vector of a text and those of its tokens.
            say: is told that it takes a moment.
        """
        rows, before = self._store.count(), self._held().get("rows", 0)
        if abs(rows - before) <= _CHANGED * before:
            return
        found: dict[str, Any] = {}
        for language in self._store.values("language"):
            ids = self._store.sample(Where("language", "==", language), _QUESTIONS)
            if len(ids) < LEAST_QUESTIONS:
                continue
            say(f"weighing the ways to search, language {language}")
            weights, quality = learn_weights(self._trials(ids, ranker, embed_query), DEFAULT_WEIGHTS)
            found[str(language)] = {"weights": weights, "reciprocal_rank": quality}
        self._store.database.set_meta(WEIGHTS_KEY, json.dumps({"rows": rows, "languages": found}))

    def _trials(self, ids: list[int], ranker: Ranker, embed_query: EmbedQuery) -> list[Trial]:
        trials: list[Trial | None] = []
        for row_id, hit in self._store.rows(ids, vectors=False).items():
            if question := pseudo_question(hit.data["text"], random=row_id):
                vector, tokens = embed_query(question)
                with self._store.database.read():
                    query = Query(question, unit(vector), tokens)
                    trials.append(ranker.trial(query, row_id, depth=_DEPTH))
        return [trial for trial in trials if trial is not None]

    def _held(self) -> dict[str, Any]:
        return self._store.database.get_meta_json(WEIGHTS_KEY) or {}
