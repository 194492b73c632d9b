"""A report of a measurement as plots and one HTML page that needs nothing else."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.plots import embedded, png, pyplot
from evaluation.retrieval.measure import Run, table
from evaluation.retrieval.metrics import METRICS
from retrieval.errors import TekioError

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
    "img{max-width:100%}pre{overflow:auto}"
)


def write_report(folder: Path, whole: Mapping[str, Any], runs: Sequence[Run]) -> Path:
    """Write metrics.png, latency.png and report.html into a folder; return the page.

    Raises:
        TekioError: matplotlib is not installed, or the folder cannot be written.
    """
    plots = {"metrics.png": _metrics(whole), "latency.png": _latency(runs)}
    page = folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, image in plots.items():
            (folder / name).write_bytes(image)
        page.write_text(_page(whole, plots), "utf-8")
    except OSError as error:
        raise TekioError(f"cannot write the report to {folder}: {error.strerror or error}") from error
    return page


def _metrics(whole: Mapping[str, Any]) -> bytes:
    figure, axes = pyplot().subplots(figsize=(9, 4))
    runs = whole["runs"]
    width = 0.8 / len(runs)
    for place, run in enumerate(runs):
        values = [run["metrics"][name] for name in METRICS]
        errors = [
            [value - run["intervals"][name][0] for name, value in zip(METRICS, values, strict=True)],
            [run["intervals"][name][1] - value for name, value in zip(METRICS, values, strict=True)],
        ]
        positions = [column + place * width for column in range(len(METRICS))]
        axes.bar(positions, values, width, yerr=errors, capsize=3, label=run["mode"])
    axes.set_xticks([column + 0.4 - width / 2 for column in range(len(METRICS))], list(METRICS))
    axes.set_ylim(0, 1)
    axes.legend()
    return png(figure)


def _latency(runs: Sequence[Run]) -> bytes:
    figure, axes = pyplot().subplots(figsize=(9, 3))
    axes.boxplot([run.seconds * 1000 for run in runs], orientation="horizontal", whis=(1, 99))
    axes.set_yticks(range(1, len(runs) + 1), [run.mode for run in runs])
    axes.set_xlabel("ms a query")
    return png(figure)


def _page(whole: Mapping[str, Any], plots: Mapping[str, bytes]) -> str:
    title = html.escape(f"{whole['set']} ({whole['split']})")
    images = "".join(embedded(name, image) for name, image in plots.items())
    figures = html.escape("\n".join(table(whole)))
    data = html.escape(json.dumps(whole, ensure_ascii=False, indent=1))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><pre>{figures}</pre>{images}<details><summary>JSON</summary><pre>{data}</pre></details>"
    )
