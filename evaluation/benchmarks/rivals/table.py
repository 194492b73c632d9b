"""What the runs amount to: quality with intervals, differences over the same queries, time and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.benchmarks.rivals.catalog import OWN
from evaluation.benchmarks.rivals.runner import Measured
from evaluation.retrieval.beir import Beir
from evaluation.retrieval.metrics import Comparison, bootstrap_interval, compare, per_query

METRICS = ("ndcg@10", "recall@10")


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over the queries and its 95 % interval."""

    mean: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One system over one set. `differences` are its figures less those of Tekio; empty for Tekio, or without it.

    The time of the processor is that of all threads together, for a query the mean.
    """

    system: str
    about: str
    figures: dict[str, Mean]
    differences: dict[str, Comparison]
    ingest_seconds: float
    ingest_cpu_seconds: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    peak_mib: float
    disk_mib: float


@dataclass(frozen=True, slots=True)
class Result:
    """All systems over one set."""

    name: str
    documents: int
    queries: int
    rows: list[Row]


def result(found: Beir, runs: Sequence[Measured]) -> Result:
    """Return the figures of the runs over a set."""
    scores = {run.kind.name: per_query(run.rankings, found.judgements) for run in runs}
    rows = []
    for run in runs:
        own, name = scores.get(OWN), run.kind.name
        compared = METRICS if own is not None and name != OWN else ()
        milliseconds = 1000 * np.array(run.seconds)
        rows.append(
            Row(
                system=name,
                about=run.ingested.about,
                figures={
                    metric: Mean(float(scores[name][metric].mean()), bootstrap_interval(scores[name][metric]))
                    for metric in METRICS
                },
                differences={
                    metric: compare(scores[OWN][metric], scores[name][metric]) for metric in compared
                },
                ingest_seconds=run.ingested.seconds,
                ingest_cpu_seconds=run.ingested.cpu_seconds,
                p50_ms=float(np.quantile(milliseconds, 0.5)),
                p99_ms=float(np.quantile(milliseconds, 0.99)),
                cpu_ms=1000 * run.cpu_seconds / len(run.seconds),
                peak_mib=run.peak_mib,
                disk_mib=run.ingested.disk_mib,
            )
        )
    return Result(found.name, len(found.documents), len(found.queries), rows)


def print_results(results: Sequence[Result]) -> None:
    """Print a table for each set."""
    heads = "".join(f"{name:>23}" for name in METRICS)
    for each in results:
        print(f"{each.name}: {each.documents:,} documents, {each.queries:,} queries")
        print(
            f"{'system':18}{heads}{'nDCG@10 less Tekio':>28}{'ingest s':>10}{'CPU s':>8}{'p50 ms':>8}"
            f"{'p99 ms':>8}{'CPU ms':>8}{'peak MiB':>10}{'disk MiB':>10}"
        )
        for row in each.rows:
            cells = "".join(
                f"{row.figures[name].mean:.4f} [{row.figures[name].interval[0]:.3f}, "
                f"{row.figures[name].interval[1]:.3f}]".rjust(23)
                for name in METRICS
            )
            disk = f"{row.disk_mib:,.1f}" if row.disk_mib else "none"
            print(
                f"{row.system:18}{cells}{_difference(row):>28}{row.ingest_seconds:10.1f}"
                f"{row.ingest_cpu_seconds:8.1f}{row.p50_ms:8.1f}{row.p99_ms:8.1f}{row.cpu_ms:8.1f}{row.peak_mib:10,.0f}{disk:>10}"
            )
        for row in each.rows:
            print(f"  {row.system}: {row.about}")
        print()


def _difference(row: Row) -> str:
    if METRICS[0] not in row.differences:
        return ""
    found = row.differences[METRICS[0]]
    return f"{found.difference:+.4f} [{found.interval[0]:+.3f}, {found.interval[1]:+.3f}]"
