"""Several rankings to one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

_Id = TypeVar("_Id", bound=Hashable)

RANK_CONSTANT = 60


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[_Id]], *, weights: Sequence[float] | None = None, constant: int = RANK_CONSTANT
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
