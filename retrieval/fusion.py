"""Rankings put together."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

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


def weighted_fusion(
    legs: Mapping[str, NDArray[np.float32]], weights: Mapping[str, float]
) -> NDArray[np.float32]:
    """Return the weighted sum of the legs' scores, shape (n,).

    The scores are taken as they are, not spread over those that were found: so what a leg finds by chance (words of
    a question in another language than the documents) adds next to nothing, and is not made its best.
    Source: Bruch, Gai, Ingber: An Analysis of Fusion Functions for Hybrid Retrieval, TOIS 2023 (theoretical
    normalisation).

    Args:
        legs: the scores of the same n candidates in each leg, each on a scale of its own that all queries share.
        weights: of the legs; one without a weight counts nothing.
    """
    size = len(next(iter(legs.values())))
    total = np.zeros(size, np.float32)
    for name, scores in legs.items():
        if weight := weights.get(name, 0.0):
            total += np.float32(weight) * scores
    return total
