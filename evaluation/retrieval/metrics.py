"""Figures of rankings: those of TREC's own program, with intervals and a paired test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from kernel.comparison import RESAMPLES, Comparison, bootstrap_interval, compare

__all__ = ["METRICS", "RESAMPLES", "Comparison", "Rankings", "bootstrap_interval", "compare", "per_query"]

METRICS: Mapping[str, tuple[str, int]] = {
    "ndcg@10": ("ndcg_cut_10", 100),
    "recall@5": ("recall_5", 100),
    "recall@10": ("recall_10", 100),
    "recall@100": ("recall_100", 100),
    "mrr@10": ("recip_rank", 10),
}
"""Our name of each: trec_eval's name, and the depth at which a ranking is cut for it."""

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
