"""The rankings of a question and of its parts, made one.

Each part is searched for by itself, and so is the whole, which says what the parts are about: "and what is its
price?" The whole's score of a row counts with each part's. Then the parts take turns, each giving its best that is
not there yet, so that each has its passages among the first few. A sum over the parts, or reciprocal rank with the
usual constant, would put first what answers none of them well and all a little; measured on pairs of questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest

from retrieval.ranking import Ranked

_WHOLE = 1.0
"""What the whole question counts beside a part. Measured: with less a part that leaves its subject out finds others,
and evidence of several passages for one part is torn apart."""


def fused_parts(whole: Sequence[Ranked], parts: Sequence[tuple[str, Sequence[Ranked]]]) -> list[Ranked]:
    """Return the rows of all rankings, best first; each with what the legs said where it stood highest.

    The scores are between 0 and 1, and never rise.

    Args:
        whole: the ranking of the whole question.
        parts: the text and the ranking of each part; none leaves the whole as it is.
    """
    if not parts:
        return list(whole)
    highest: dict[int, tuple[int, Ranked]] = {}
    ranks: dict[int, dict[str, int]] = {}
    for text, ranking in (("", whole), *parts):
        for rank, item in enumerate(ranking, start=1):
            if item.id not in highest or rank < highest[item.id][0]:
                highest[item.id] = rank, item
            if text:
                ranks.setdefault(item.id, {})[text] = rank
    of_whole = _spread(whole)
    turns = zip_longest(*(_with_whole(_spread(ranking), of_whole) for _, ranking in parts))
    fused: dict[int, float] = {}
    last = 1.0
    for row_id, score in (entry for turn in turns for entry in turn if entry is not None):
        if row_id not in fused:
            last = fused[row_id] = min(last, score)
    return [
        replace(highest[row_id][1], score=score, parts=ranks.get(row_id, {}))
        for row_id, score in fused.items()
    ]


def _with_whole(part: Mapping[int, float], whole: Mapping[int, float]) -> list[tuple[int, float]]:
    scores = {
        row_id: (part.get(row_id, 0.0) + _WHOLE * whole.get(row_id, 0.0)) / (1 + _WHOLE)
        for row_id in {**part, **whole}
    }
    # Of rows that come out alike the part's own goes before the whole's.
    return sorted(scores.items(), key=lambda pair: (-pair[1], -part.get(pair[0], 0.0), pair[0]))


def _spread(ranking: Sequence[Ranked]) -> dict[int, float]:
    """Return scores spread over 0 to 1: those of a question and of its parts are of different scales."""
    if not ranking:
        return {}
    low, high = min(item.score for item in ranking), max(item.score for item in ranking)
    return {item.id: (item.score - low) / (high - low) if high > low else 1.0 for item in ranking}
