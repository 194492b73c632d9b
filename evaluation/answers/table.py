"""A run as lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.answers.metrics import METRICS
from evaluation.answers.runfile import RunFile

SIGNIFICANT = 0.05
_SHARES = {
    "refusal_precision": "refusals that were right (precision)",
    "refusal_recall": "unanswerable questions refused (recall)",
    "refused_answerable": "answerable questions refused, wrongly",
}
LABELS: Mapping[str, str] = {name: metric.label for name, metric in METRICS.items()} | _SHARES


def figure_rows(run: RunFile) -> list[list[str]]:
    """Return a row for each figure that any run has: its label, then each run's value with its interval."""
    all_figures: list[Mapping[str, Any]] = [each["figures"] for each in run.runs]
    rows = []
    for name, label in LABELS.items():
        if any(name in found for found in all_figures):
            rows.append([label, *(_interval(found.get(name)) for found in all_figures)])
    plain = (
        ("prompt_tokens", "prompt tokens an answer", "{:.0f}"),
        ("completion_tokens", "generated tokens an answer", "{:.1f}"),
        ("tokens_per_second", "generated tokens a second", "{:.1f}"),
        ("cpu_seconds", "CPU seconds an answer", "{:.3f}"),
        ("cost_per_1000", "cost of 1,000 answers", "{:.4f}"),
    )
    for name, label, shape in plain:
        if any(name in found for found in all_figures):
            values = [found.get(name) for found in all_figures]
            rows.append(
                [label, *("-" if value is None else shape.format(value["value"]) for value in values)]
            )
    for part in ("p50", "p99"):
        latencies = [found.get("latency_ms") for found in all_figures]
        rows.append(
            [f"ms an answer, {part}", *("-" if each is None else f"{each[part]:.1f}" for each in latencies)]
        )
    if any(found["failed"]["value"] for found in all_figures):
        rows.append(["questions that failed", *(str(found["failed"]["value"]) for found in all_figures)])
    return rows


def comparison_lines(tests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each metric in which two runs differ at all."""
    return [
        f"{test['second']} less {test['first']}: {METRICS[test['metric']].label} {test['difference']:+.3f} "
        f"[{test['interval'][0]:+.3f}, {test['interval'][1]:+.3f}], p = {test['p_value']:.4f}, "
        f"by Holm {test['adjusted']:.4f}" + (", significant" if test["adjusted"] < SIGNIFICANT else "")
        for test in tests
        if test["difference"]
    ]


def about_lines(run: RunFile) -> list[str]:
    """Return what the figures are of, and how those are told that a model tells."""
    asked = run.questions
    part = "".join(
        f", {name} {value}"
        for name, value in (("fold", asked.fold), ("sample", asked.sample), ("limit", asked.limit))
        if value is not None
    )
    seed = f" (seed {asked.seed})" if asked.sample is not None else ""
    lines = [
        f"{asked.name}: {asked.count} questions, {asked.answerable} answerable{part}{seed}; "
        f"{run.about['documents']:,} documents"
    ]
    lines += [f"{name}: {method}" for name, method in run.methods.items()]
    if run.judge is not None:
        lines += judge_lines(run.judge)
    return lines + run.notices


def judge_lines(judge: Mapping[str, Any]) -> list[str]:
    """Return who judged, and how far that agrees with labels."""
    lines = [f"judge: {judge['model']}, revision {judge['revision']}, prompt {judge['prompt']}"]
    kappa, agreed = judge["kappa"], judge["agreement"]
    interval = judge["interval"]
    said = "not to be told" if kappa is None else f"{kappa:.3f}"
    if kappa is not None and interval:
        said += f" [{interval[0]:.3f}, {interval[1]:.3f}]"
    share = "-" if agreed is None else f"{agreed:.3f}"
    lines.append(
        f"judge: Cohen's kappa with the labels by {judge['labels']} {said}, agreement {share} over "
        f"{judge['compared']}; {judge['unreadable']} replies named no grade"
    )
    return lines


def _interval(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return "-"
    low, high = figure["interval"]
    return f"{figure['value']:.3f} [{low:.3f}, {high:.3f}] of {figure['questions']}"
