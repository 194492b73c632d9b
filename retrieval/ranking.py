"""From a query to a ranking: the legs search, their scores are fused, the best are ranked again.

The legs are *dense* (the vectors of whole passages), *keyword* (BM25, as a share of what it could be) and *late* (the
vectors of their tokens).
Dense and keyword search; late ranks the best that they found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import UsageError
from retrieval.filters import All, Filter, Where
from retrieval.fusion import weighted_fusion
from retrieval.keyword_tokens import Term, keyword_terms
from retrieval.late_vectors import TokenCodec
from retrieval.records import LegScore
from retrieval.stages import step
from retrieval.stores.interface import Collection
from retrieval.weights import Trial

Mode = Literal["hybrid", "dense", "keyword"]
MODES: tuple[str, ...] = get_args(Mode)
Floats = NDArray[np.float32]
Rerank = Callable[[str, Sequence[str]], Floats]
"""Gives the scores of texts for a query."""

DENSE, KEYWORD, LATE, CROSS = "dense", "keyword", "late", "cross"
RERANKED = 50
"""Candidates whose token vectors are looked at."""
# Read on training claims of SciFact and on JSQuAD; an index that learned its own takes those.
DEFAULT_WEIGHTS: Mapping[str, float] = {DENSE: 0.5, KEYWORD: 0.3, LATE: 0.5}
_MEAN_ROWS = 1000
"""Rows of a language from which its mean vector is taken."""


def check_mode(mode: str) -> Mode:
    """Return the mode.

    Raises:
        UsageError: there is none of this name.
    """
    if mode not in MODES:
        raise UsageError(f"there is no search mode '{mode}'; there are {', '.join(MODES)}")
    return mode  # type: ignore[return-value]


@dataclass(frozen=True)
class Query:
    """What is searched for: `vector` of shape (dimension,) and length one, `tokens` of shape (t, hidden)."""

    text: str
    vector: Floats
    tokens: Floats | None = None


@dataclass(frozen=True)
class Ranked:
    """A candidate with its fused score, and where to look up what each leg said of it.

    `said` are the legs' scores of the candidates that it was ranked with, `place` its own place among them. `parts`
    are the ranks that the parts of the question give it, where these were searched for.
    """

    id: int
    score: float
    said: Mapping[str, Floats]
    place: int
    weights: Mapping[str, float]
    parts: Mapping[str, int] = field(default_factory=dict)

    def legs(self) -> dict[str, LegScore]:
        """Return the score, rank and weight of each leg."""
        return {
            name: LegScore(
                float(scores[self.place]),
                1 + int((scores > scores[self.place]).sum()),
                self.weights.get(name, 0.0),
            )
            for name, scores in self.said.items()
        }


class Ranker:
    """Ranks the rows of a collection whose data has a field `language`."""

    def __init__(self, store: Collection, codec: TokenCodec | None) -> None:
        self._store = store
        self._codec = codec
        # The mean vector of each language, of one generation: a cache, replaced whole.
        self._means: tuple[int, dict[Any, Floats]] = (-1, {})

    def rank(
        self,
        query: Query,
        *,
        depth: int,
        where: Filter | None = None,
        mode: Mode = "hybrid",
        weights: Mapping[str, float] = DEFAULT_WEIGHTS,
    ) -> list[Ranked]:
        """Return the best rows, best first; call it within a read transaction of the database.

        Args:
            query: what is searched for.
            depth: how many candidates each searching leg gives.
            where: holds for all that is returned.
            mode: both legs, or one of them alone.
            weights: of the legs in the fusion.
        """
        terms = keyword_terms(query.text)
        if mode == KEYWORD:
            with step(KEYWORD):
                return _alone(KEYWORD, self._store.keyword(terms, top=depth, where=where))
        if mode == DENSE:
            dense = self._dense(query.vector, depth, where)
            return _alone(DENSE, sorted(dense.items(), key=lambda pair: (-pair[1], pair[0]))[:depth])
        ids, legs = self._candidates(query, terms, depth, where)
        with step("fuse") as under_way:
            under_way.note(candidates=len(ids))
            return self._ordered(ids, legs, query, weights) if ids else []

    def trial(self, query: Query, right: int, *, depth: int) -> Trial | None:
        """Return what each leg says of the candidates for a question that a row is known to answer.

        None when the row is not among them.
        """
        ids, legs = self._candidates(query, keyword_terms(query.text), depth, None)
        if right not in ids:
            return None
        fused = weighted_fusion(legs, DEFAULT_WEIGHTS)
        places = sorted({*np.argsort(-fused, kind="stable")[:RERANKED].tolist(), ids.index(right)})
        again = {name: scores[places] for name, scores in legs.items()}
        late = self._late(query, [ids[place] for place in places])
        if late is not None:
            again[LATE] = late
        return Trial(again, places.index(ids.index(right)))

    def _candidates(
        self, query: Query, terms: Sequence[Term], depth: int, where: Filter | None
    ) -> tuple[list[int], dict[str, Floats]]:
        """Return what the searching legs find, and what each of them says of all of it."""
        dense = self._dense(query.vector, depth, where)
        with step(KEYWORD) as under_way:
            keyword = self._store.keyword(terms, top=depth, where=where)
            under_way.note(found=len(keyword))
        ids = sorted({*dense, *(row_id for row_id, _ in keyword)})
        scores, ceiling = self._store.keyword_scores(terms, ids)
        return ids, {
            DENSE: self._similarities(query.vector, ids, dense),
            # The share of what a passage that holds every word without end would have.
            KEYWORD: np.asarray(scores / max(ceiling, 1e-9), np.float32),
        }

    def _ordered(
        self, ids: Sequence[int], legs: dict[str, Floats], query: Query, weights: Mapping[str, float]
    ) -> list[Ranked]:
        """Order candidates by the fused score; the best are looked at once more, and stay before the others."""
        fused = weighted_fusion(legs, weights)
        order = np.lexsort((np.array(ids), -fused))
        best = order[:RERANKED]
        late = self._late(query, [ids[place] for place in best]) if weights.get(LATE) else None
        if late is None:
            return [Ranked(ids[place], float(fused[place]), legs, int(place), weights) for place in order]
        again = {name: scores[best] for name, scores in legs.items()} | {LATE: late}
        score = weighted_fusion(again, weights)
        second = np.lexsort((np.array(ids)[best], -score))
        chosen = [ids[place] for place in best]
        ranked = [Ranked(chosen[place], float(score[place]), again, int(place), weights) for place in second]
        # Those behind keep their order, below the last of the best.
        floor = ranked[-1].score
        drop = max(0.0, float(fused[order[RERANKED]]) - floor) if len(order) > RERANKED else 0.0
        rest = [
            Ranked(ids[place], float(fused[place]) - drop, legs, int(place), weights)
            for place in order[RERANKED:]
        ]
        return ranked + rest

    def _late(self, query: Query, ids: Sequence[int]) -> Floats | None:
        """Return the late interaction of rows; None when the token vectors of one of them are not kept."""
        if self._codec is None or query.tokens is None or not len(query.tokens):
            return None
        with step(LATE):
            packed = self._store.late(ids)
            if len(packed) < len(ids):
                return None
            return self._codec.scores(query.tokens, [packed[row_id] for row_id in ids])

    def _dense(self, vector: Floats, depth: int, where: Filter | None) -> dict[int, float]:
        """Return the nearest rows with their similarity, that to their language's mean vector taken off.

        A multilingual embedder places the texts of one language together, so that a question finds those of its
        own language first, whatever they say. So each language is searched apart.
        Source: Libovicky, Rosa, Fraser: On the Language Neutrality of Pre-trained Multilingual Representations,
        Findings of EMNLP 2020.
        """
        found: dict[int, float] = {}
        with step(DENSE) as under_way:
            means = self._language_means()
            for language, mean in means.items():
                of_language = Where("language", "==", language)
                both: Filter = of_language if where is None else All((of_language, where))
                base = float(vector @ mean)
                hits = self._store.dense(vector, top=depth, where=both if len(means) > 1 else where)
                found.update((row_id, similarity - base) for row_id, similarity in hits)
            under_way.note(found=len(found))
        return found

    def _similarities(self, vector: Floats, ids: Sequence[int], known: Mapping[int, float]) -> Floats:
        missing = [row_id for row_id in ids if row_id not in known]
        means = self._language_means()
        others: dict[int, float] = {}
        if missing:
            languages = self._store.field_of(missing, "language")
            vectors = self._store.vectors(missing)
            others = {
                row_id: float(vector @ (vectors[row_id] - means[languages[row_id]])) for row_id in missing
            }
        return np.array([known[row_id] if row_id in known else others[row_id] for row_id in ids], np.float32)

    def _language_means(self) -> dict[Any, Floats]:
        generation = self._store.generation
        held, means = self._means
        if held != generation:
            means = {language: self._mean(language) for language in self._store.values("language")}
            self._means = generation, means
        return means

    def _mean(self, language: Any) -> Floats:
        ids = self._store.sample(Where("language", "==", language), _MEAN_ROWS)
        mean = np.mean(list(self._store.vectors(ids).values()), axis=0, dtype=np.float64)
        return np.asarray(mean, np.float32)


def reranked(ranked: Sequence[Ranked], scores_of: Callable[[Sequence[int]], Floats]) -> list[Ranked]:
    """Return a ranking whose best are in the order of a further leg's scores, before the others.

    Args:
        ranked: best first.
        scores_of: gives scores of rows by their ids.
    """
    best = list(ranked[:RERANKED])
    if not best:
        return []
    scores = scores_of([item.id for item in best])
    names = list(best[0].said)
    said = {name: np.array([item.said[name][item.place] for item in best], np.float32) for name in names}
    weights = dict.fromkeys(names, 0.0) | {CROSS: 1.0}
    order = np.lexsort((np.arange(len(best)), -scores))
    again = [
        Ranked(best[place].id, float(scores[place]), said | {CROSS: scores}, int(place), weights)
        for place in order
    ]
    # Those behind keep their order, below the last of the best.
    drop = max(0.0, ranked[RERANKED].score - again[-1].score) if len(ranked) > RERANKED else 0.0
    return again + [replace(item, score=item.score - drop) for item in ranked[RERANKED:]]


def _alone(leg: str, found: Sequence[tuple[int, float]]) -> list[Ranked]:
    """Return what one leg found, which alone decides."""
    said = {leg: np.array([score for _, score in found], np.float32)}
    return [Ranked(row_id, score, said, place, {leg: 1.0}) for place, (row_id, score) in enumerate(found)]
