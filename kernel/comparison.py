"""Means over questions: their intervals, and two of them compared by the same questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
_SEED = 20261127
_AT_ONCE = 500


def bootstrap_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % interval of the mean: percentiles of 10,000 resamples of the queries, seeded."""
    means = _resampled_means(values)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The mean difference of two runs over the same queries, its 95 % interval, and how likely by chance."""

    difference: float
    interval: tuple[float, float]
    p_value: float


def compare(first: NDArray[np.float64], second: NDArray[np.float64]) -> Comparison:
    """Compare two runs by the same queries: `second` less `first`.

    The p-value is of a two-sided paired randomisation test with 10,000 drawn signs (Smucker, Allan and
    Carterette, CIKM 2007); it is never below 1 / 10,001.
    """
    differences = second - first
    observed = abs(float(differences.mean()))
    random = np.random.default_rng(_SEED)
    beyond = 0
    for start in range(0, RESAMPLES, _AT_ONCE):
        signs = random.integers(0, 2, (min(_AT_ONCE, RESAMPLES - start), len(differences))) * 2 - 1
        beyond += int((np.abs((signs * differences).mean(axis=1)) >= observed - 1e-12).sum())
    return Comparison(
        float(differences.mean()), bootstrap_interval(differences), (beyond + 1) / (RESAMPLES + 1)
    )


def _resampled_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    random = np.random.default_rng(_SEED)
    means = [
        values[random.integers(0, len(values), (_AT_ONCE, len(values)))].mean(axis=1)
        for _ in range(RESAMPLES // _AT_ONCE)
    ]
    return np.concatenate(means)


def before_and_after(before: NDArray[np.float64], after: NDArray[np.float64]) -> dict[str, Any]:
    """Return the means of the same rows before and after, shape (n,) each, their intervals and the difference."""
    found = compare(before, after)
    return {
        "before": float(before.mean()),
        "before_interval": bootstrap_interval(before),
        "after": float(after.mean()),
        "after_interval": bootstrap_interval(after),
        "difference": found.difference,
        "difference_interval": found.interval,
        "p_value": found.p_value,
    }
