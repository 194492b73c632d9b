"""Figures of rankings: those of TREC's own program, with intervals and a paired test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

METRICS: Mapping[str, tuple[str, int]] = {
    "ndcg@10": ("ndcg_cut_10", 100),
    "recall@5": ("recall_5", 100),
    "recall@10": ("recall_10", 100),
    "recall@100": ("recall_100", 100),
    "mrr@10": ("recip_rank", 10),
}
"""Our name of each: trec_eval's name, and the depth at which a ranking is cut for it."""
RESAMPLES = 10_000
_SEED = 20261127
_AT_ONCE = 500

Rankings = Mapping[str, Sequence[tuple[str, float]]]
"""For each query the documents with their scores, best first."""


def per_query(
    rankings: Rankings, judgements: Mapping[str, Mapping[str, int]]
) -> dict[str, NDArray[np.float64]]:
    """Return each metric of each judged query, in the order of `judgements`; a query without hits has 0.

    trec_eval orders documents by score and breaks ties by name, so places are handed over in place of scores.
    """
    import pytrec_eval

    names = list(judgements)
    found: dict[str, NDArray[np.float64]] = {}
    for metric, (measure, depth) in METRICS.items():
        run = {
            query: {
                document: float(-place) for place, (document, _) in enumerate(rankings.get(query, ())[:depth])
            }
            for query in names
        }
        evaluator = pytrec_eval.RelevanceEvaluator(
            {key: dict(value) for key, value in judgements.items()}, {measure}
        )
        scores = evaluator.evaluate(run)
        found[metric] = np.array([scores.get(query, {}).get(measure, 0.0) for query in names])
    return found


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
