"""Several rankings to one: by ranks alone, or by scores made comparable."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

_Id = TypeVar("_Id", bound=Hashable)

RANK_CONSTANT = 60


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[_Id]],
    *,
    weights: Sequence[float] | None = None,
    constant: int = RANK_CONSTANT,
) -> list[tuple[_Id, float]]:
    """Fuse rankings by the weighted sum of 1 / (constant + rank), ranks from 1, best first.

    Ties keep the order in which the ids were first seen, so that the result is deterministic.
    Source: Cormack, Clarke, Buettcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank
    Learning Methods, SIGIR 2009.
    """
    scores: dict[_Id, float] = {}
    for ranking, weight in zip(rankings, weights or [1.0] * len(rankings), strict=True):
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + weight / (constant + rank)
    return sorted(scores.items(), key=lambda pair: -pair[1])


def convex_fusion(
    dense: Mapping[_Id, float], keyword: Mapping[_Id, float], *, ceiling: float, weight: float
) -> list[tuple[_Id, float]]:
    """Add to each dense score a weighted share of the best keyword score that the query could have reached.

    Unlike ranks, this keeps how much better a hit is: a keyword ranking of nothing but chance words (a question
    in another language than the documents) adds next to nothing.
    Source: Bruch, Gai, Ingber: An Analysis of Fusion Functions for Hybrid Retrieval, TOIS 2023 (theoretical
    normalisation).

    Args:
        dense: similarity of every candidate.
        keyword: BM25 scores of those candidates that have one.
        ceiling: the BM25 score of a passage that holds every word of the query without end.
        weight: of the keyword share.
    """
    share = weight / ceiling if ceiling > 0 else 0.0
    scored = [(item, score + share * keyword.get(item, 0.0)) for item, score in dense.items()]
    return sorted(scored, key=lambda pair: -pair[1])
