"""A trial of two variants by feedback: thumbs of each, with intervals, and whether they differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from scipy.stats import fisher_exact

from evaluation.metrics import Share
from kernel.policies.rewards import Rating


class Said(Rating, Protocol):
    """What somebody said of an answer to a question."""

    @property
    def question(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Trial:
    """The share of thumbs up of each variant, and the difference of two with its 95 % interval and p-value."""

    ratings: dict[str, Share]
    difference: float | None
    interval: tuple[float, float] | None
    p_value: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "ratings": {name: share.as_dict() for name, share in self.ratings.items()},
            "difference": self.difference,
            "interval": None if self.interval is None else list(self.interval),
            "p_value": self.p_value,
        }


def count_trial(said: Sequence[Said], usual: str, other: str | None, *, since: str = "") -> Trial:
    """Count the thumbs of every variant, and compare the one on trial with the usual one.

    The last thumb of somebody on a question and variant counts. The interval of the difference is Newcombe's hybrid of
    Wilson's (Statistics in Medicine, 1998), the p-value of Fisher's exact test.

    Args:
        said: feedback, in its order.
        usual: the variant of the settings.
        other: the one on trial; None compares none.
        since: ISO 8601; what was said before it is not counted.
    """
    last: dict[tuple[str, str, str], bool] = {}
    for each in said:
        if each.at >= since:
            variant = str(each.data["answer"].get("variant") or "")
            last[each.user, each.question, variant] = each.rating == "up"
    names = dict.fromkeys([usual, *([other] if other else []), *sorted({name for _, _, name in last})])
    ratings = {
        name: Share(
            sum(up for (_, _, own), up in last.items() if own == name), sum(own == name for _, _, own in last)
        )
        for name in names
    }
    if other is None or not ratings[usual].total or not ratings[other].total:
        return Trial(ratings, None, None, None)
    one, two = ratings[usual], ratings[other]
    table = [[two.hits, two.total - two.hits], [one.hits, one.total - one.hits]]
    return Trial(ratings, two.value - one.value, _newcombe(one, two), float(fisher_exact(table).pvalue))


def _newcombe(one: Share, two: Share) -> tuple[float, float]:
    """Return the interval of the second share less the first."""
    (low1, high1), (low2, high2) = one.interval, two.interval
    difference = two.value - one.value
    return (
        difference - math.hypot(two.value - low2, high1 - one.value),
        difference + math.hypot(high2 - two.value, one.value - low1),
    )


def lines(trial: Trial, usual: str, other: str | None) -> list[str]:
    """Return the table of a trial, and what it says."""
    width = max(map(len, trial.ratings))
    rows = [f"{name:<{width}}  thumbs up {share}" for name, share in trial.ratings.items()]
    if trial.interval is None or trial.difference is None:
        lacking = (
            "no variant is on trial (trial_variant)" if other is None else "both need feedback to be compared"
        )
        return [*rows, lacking]
    low, high = trial.interval
    verdict = (
        "no difference beyond chance"
        if low <= 0 <= high
        else f"{other if low > 0 else usual} is liked better"
    )
    compared = (
        f"{other} less {usual}: {trial.difference:+.3f} [{low:+.3f}, {high:+.3f}], p = {trial.p_value:.4f}"
    )
    return [*rows, f"{compared}: {verdict}"]
