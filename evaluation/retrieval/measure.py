"""Queries asked of a searcher, their rankings and times, and what they amount to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.retrieval.beir import Beir
from evaluation.retrieval.metrics import METRICS, Comparison, Rankings, bootstrap_interval, compare, per_query

DEPTH = 100
_WARM_UP = 5

Search = Callable[[str], Sequence[tuple[str, float]]]


@dataclass(frozen=True)
class Run:
    """What was measured of one way to search: each metric of each query, and the seconds of each query."""

    mode: str
    scores: Mapping[str, NDArray[np.float64]]
    seconds: NDArray[np.float64]
    rankings: Rankings = field(default_factory=dict)

    def figures(self) -> dict[str, Any]:
        """Return the means, their intervals and the latency, for JSON."""
        milliseconds = self.seconds * 1000
        return {
            "metrics": {name: float(values.mean()) for name, values in self.scores.items()},
            "intervals": {name: list(bootstrap_interval(values)) for name, values in self.scores.items()},
            "latency_ms": {
                "p50": float(np.quantile(milliseconds, 0.5)),
                "p99": float(np.quantile(milliseconds, 0.99)),
            },
        }


def measure(found: Beir, mode: str, search: Search) -> Run:
    """Ask every query of a set, one at a time."""
    for _, text in found.queries[:_WARM_UP]:
        search(text)
    rankings: dict[str, Sequence[tuple[str, float]]] = {}
    seconds: list[float] = []
    for name, text in found.queries:
        began = time.perf_counter()
        rankings[name] = search(text)
        seconds.append(time.perf_counter() - began)
    return Run(mode, per_query(rankings, found.judgements), np.array(seconds), rankings)


def comparisons(runs: Sequence[Run]) -> list[tuple[str, str, Comparison]]:
    """Compare every run with the first by nDCG@10."""
    if not runs:
        return []
    first, *others = runs
    return [(first.mode, run.mode, compare(first.scores["ndcg@10"], run.scores["ndcg@10"])) for run in others]


def report(found: Beir, runs: Sequence[Run], **about: object) -> dict[str, Any]:
    """Return everything as one JSON document; of a single run the figures stand at the top too."""
    whole: dict[str, Any] = {
        "set": found.name,
        "split": found.split,
        "documents": len(found.documents),
        "queries": len(found.queries),
        **about,
        "notices": list(found.notices),
        "runs": [{"mode": run.mode, **run.figures()} for run in runs],
        "comparisons": [
            {
                "a": a,
                "b": b,
                "metric": "ndcg@10",
                "difference": found_difference.difference,
                "interval": list(found_difference.interval),
                "p_value": found_difference.p_value,
            }
            for a, b, found_difference in comparisons(runs)
        ],
    }
    if len(runs) == 1:
        whole |= runs[0].figures()
    return whole


def table(whole: Mapping[str, Any]) -> list[str]:
    """Return a report as lines for a terminal."""
    lines = [f"{'mode':<10}" + "".join(f"{name:>26}" for name in METRICS) + f"{'p50 ms':>9}{'p99 ms':>9}"]
    for run in whole["runs"]:
        cells = ""
        for name in METRICS:
            low, high = run["intervals"][name]
            cells += f"{run['metrics'][name]:>11.4f} [{low:.3f}, {high:.3f}]".rjust(26)
        latency = run["latency_ms"]
        lines.append(f"{run['mode']:<10}{cells}{latency['p50']:>9.1f}{latency['p99']:>9.1f}")
    for item in whole["comparisons"]:
        low, high = item["interval"]
        lines.append(
            f"{item['b']} less {item['a']}: nDCG@10 {item['difference']:+.4f} [{low:+.4f}, {high:+.4f}], "
            f"p = {item['p_value']:.4f}"
        )
    return lines
