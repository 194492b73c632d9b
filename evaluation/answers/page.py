"""A run as one HTML page that needs nothing else: figures, plots, and every answer side by side.

Everything that was asked, expected, quoted or generated is escaped; the page loads nothing and runs no script.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.answers.items import Item
from evaluation.answers.metrics import METRICS
from evaluation.answers.outcome import Outcome
from evaluation.answers.runfile import RunFile
from evaluation.answers.table import about_lines, comparison_lines, figure_rows
from evaluation.plots import embedded, png, pyplot
from retrieval.errors import TekioError

_STYLE = """
body{font:16px/1.5 sans-serif;max-width:90em;margin:2em auto;padding:0 1em;color:#1b1b1b}
img{max-width:100%}pre{overflow:auto;white-space:pre-wrap}
table{border-collapse:collapse;width:100%;margin:1em 0}
th,td{border:1px solid #ccc;padding:.4em .6em;text-align:left;vertical-align:top}
table.answers{table-layout:fixed}td{overflow-wrap:anywhere}
mark{background:#ffd9d9}.short{background:#d8f0d8}.quiet{color:#555;font-size:.85em}
.refused{color:#8a4b00}blockquote{margin:.3em 0;padding-left:.6em;border-left:3px solid #ccc}
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_SHOWN = (
    "f1",
    "short_f1",
    "citation_precision",
    "citation_recall",
    "unsupported_share",
    "faithfulness",
    "judge",
)
_PLOTTED = (
    "exact_match",
    "f1",
    "short_f1",
    "oracle_f1",
    "citation_precision",
    "citation_recall",
    "unsupported_share",
    "refusal_precision",
    "refusal_recall",
    "faithfulness",
    "relevance",
    "judge",
)


def write_report(folder: Path, run: RunFile) -> Path:
    """Write figures.png, f1.png, latency.png and report.html into a folder; return the page.

    Raises:
        TekioError: matplotlib is not installed, or the folder cannot be written.
    """
    plots = {"figures.png": _figures(run), "f1.png": _distribution(run), "latency.png": _latency(run)}
    page = folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, image in plots.items():
            (folder / name).write_bytes(image)
        page.write_text(_page(run, plots.items()), "utf-8")
    except OSError as error:
        raise TekioError(f"cannot write the report to {folder}: {error.strerror or error}") from error
    return page


def _figures(run: RunFile) -> bytes:
    found = [
        {
            name: each["figures"][name]
            for name in _PLOTTED
            if each["figures"].get(name, {}).get("value") is not None
        }
        for each in run.runs
    ]
    names = [name for name in _PLOTTED if any(name in figures for figures in found)]
    figure, axes = pyplot().subplots(figsize=(11, 4.5))
    width = 0.8 / len(found)
    for place, (each, figures) in enumerate(zip(run.runs, found, strict=True)):
        columns = [column for column, name in enumerate(names) if name in figures]
        values = np.array([figures[names[column]]["value"] for column in columns])
        ends = np.array([figures[names[column]]["interval"] for column in columns]).reshape(-1, 2)
        # Rounding may put a value a hair beyond the end of its interval.
        errors = np.maximum(0, [values - ends[:, 0], ends[:, 1] - values])
        positions = [column + place * width for column in columns]
        axes.bar(positions, values, width, yerr=errors, capsize=3, label=_plain(each["name"]))
    middle = [column + 0.4 - width / 2 for column in range(len(names))]
    axes.set_xticks(middle, [name.replace("_", "\n") for name in names], fontsize=8)
    axes.set_ylim(0, 1)
    axes.legend()
    return png(figure)


def _distribution(run: RunFile) -> bytes:
    figure, axes = pyplot().subplots(figsize=(9, 3.5))
    for name in run.names:
        for score, style in (("f1", "-"), ("short_f1", "--")):
            values = sorted(value for one in run.of(name) if (value := one.scores.get(score)) is not None)
            if values:
                heights = np.arange(1, len(values) + 1) / len(values)
                axes.step(
                    values, heights, style, where="post", label=f"{_plain(name)}, {METRICS[score].label}"
                )
    axes.set_xlabel("token F1")
    axes.set_ylabel("share of questions at or below")
    if axes.has_data():
        axes.legend(fontsize=8)
    return png(figure)


def _latency(run: RunFile) -> bytes:
    figure, axes = pyplot().subplots(figsize=(9, 1.5 + 0.6 * len(run.names)))
    took = [
        [one.timings_ms.get("total", 0.0) for one in run.of(name) if one.error is None] for name in run.names
    ]
    axes.boxplot([each or [0.0] for each in took], orientation="horizontal", whis=(1, 99))
    axes.set_yticks(range(1, len(run.names) + 1), [_plain(name) for name in run.names])
    axes.set_xlabel("ms an answer")
    return png(figure)


def _plain(name: str) -> str:
    """Return a name that matplotlib takes for no formula."""
    return name.replace("$", r"\$")


def _page(run: RunFile, plots: Any) -> str:
    title = html.escape(f"Answers: {run.questions.name}")
    about = "<br>".join(html.escape(line) for line in [*about_lines(run), f"measured {run.made}"])
    figures = _table(["", *run.names], figure_rows(run))
    compared = "\n".join(comparison_lines(run.comparisons)) or "The runs do not differ, or there is only one."
    images = "".join(embedded(name, image) for name, image in plots)
    by_run = {name: {one.id: one for one in run.of(name)} for name in run.names}
    answers = "".join(
        _question(item, [(name, found[item.id]) for name, found in by_run.items() if item.id in found])
        for item in run.items
    )
    data = run.model_dump(mode="json", exclude={"items", "outcomes"})
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{title}</h1><p>{about}</p>{figures}<h2>Compared</h2><pre>{html.escape(compared)}</pre>"
        f"<h2>Plots</h2>{images}<h2>Every answer</h2>"
        f'<p class="quiet"><mark>Marked</mark> sentences are supported by no passage; '
        f'<span class="short">this</span> is the short answer.</p>{answers}'
        f"<details><summary>JSON</summary><pre>"
        f"{html.escape(json.dumps(data, ensure_ascii=False, indent=1))}</pre></details></body></html>"
    )


def _question(item: Item, outcomes: Sequence[tuple[str, Outcome]]) -> str:
    expected = " / ".join(item.answers) if item.answers else "(no text is expected)"
    if not item.answerable:
        expected = "(to be refused)"
    places = ", ".join(
        document if page is None else f"{document} p. {page}" for document, page in item.places
    )
    lowest = min((one.scores.get("f1") or 0.0 for _, one in outcomes), default=0.0)
    head = f"{html.escape(item.id)}: {html.escape(item.question)}"
    note = f'<span class="quiet">F1 {lowest:.2f}</span>' if item.answers and item.answerable else ""
    return (
        f'<details open><summary lang="{html.escape(item.language)}">{head} {note}</summary>'
        f"<p>Expected: {html.escape(expected)}"
        + (f' <span class="quiet">in {html.escape(places)}</span>' if places else "")
        + '</p><table class="answers"><tr>'
        + "".join(f"<th>{html.escape(name)}</th>" for name, _ in outcomes)
        + "</tr><tr>"
        + "".join(f"<td>{_answer(one)}</td>" for _, one in outcomes)
        + "</tr></table></details>"
    )


def _answer(one: Outcome) -> str:
    if one.error is not None:
        return f'<p class="refused">failed: {html.escape(one.error)}</p>'
    text = _marked(one)
    kind = ' class="refused"' if one.refused else ""
    quotes = "".join(
        f"<blockquote>[{citation.marker}] {html.escape(citation.document)}"
        + (f", p. {citation.page}" if citation.page is not None else "")
        + f": {html.escape(citation.quote)}</blockquote>"
        for citation in one.citations
    )
    scores = ", ".join(
        f"{METRICS[name].label} {value:.2f}" for name in _SHOWN if (value := one.scores.get(name)) is not None
    )
    written = f"by {one.variant}; " if one.variant and not one.run.startswith(one.variant) else ""
    grade = f"; judged {one.grade}" if one.grade else ""
    return f'<p{kind}>{text}</p>{quotes}<p class="quiet">{html.escape(written + scores + grade)}</p>'


def _marked(one: Outcome) -> str:
    """Return an answer's text with its unsupported sentences and its short answer marked; all of it escaped."""
    spans: list[tuple[int, int, str]] = []
    for sentence in one.unsupported:
        at = one.answer.find(sentence)
        if sentence and at >= 0:
            spans.append((at, at + len(sentence), "mark"))
    if one.short_answer:
        at = one.answer.find(one.short_answer)
        if at >= 0:
            spans.append((at, at + len(one.short_answer), 'span class="short"'))
    pieces, done = [], 0
    for start, end, tag in sorted(spans):
        if start < done:
            continue
        pieces.append(html.escape(one.answer[done:start]))
        pieces.append(f"<{tag}>{html.escape(one.answer[start:end])}</{tag.split()[0]}>")
        done = end
    return "".join(pieces) + html.escape(one.answer[done:])


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"
