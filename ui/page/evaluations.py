"""The history of evaluations: figures of the runs over time, as plots and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import streamlit as st

from ui import chat_view as view
from ui.jobs.jobs import Jobs
from ui.locales import label
from ui.page.evaluation_start import offer_evaluation
from ui.page.here import Here
from ui.page.options import select
from ui.page.plots import line_plot
from ui.page.rights import may_run
from ui.plaintext import one_line

FIRST = ("judge", "short_f1", "faithfulness", "citation_precision", "decision_right")
"""Figures that are shown first, where there are such."""


def show_evaluations(here: Here) -> None:
    """Draw the start of an evaluation, and the history of the evaluation jobs of this server."""
    if not may_run(here):
        st.html(view.notice_html(here.say("not_allowed"), "warn"))
        return
    jobs = Jobs(here.settings)
    offer_evaluation(here, jobs)
    runs = history(
        [
            (job.ended_at or "", jobs.result(job.id))
            for job in jobs.listed()
            if job.kind == "evaluation" and job.has_ended
        ]
    )
    if not runs:
        st.html(view.notice_html(here.say("no_evaluations")))
        return
    held = {name for run in runs for name in run["figures"]}
    told = {name: figure_name(name, here.language) for name in held}
    names = [name for name in FIRST if name in held]
    names += sorted(held - set(FIRST), key=lambda name: told[name])
    metric = select(
        "metric", names, default=names[0], name_of=lambda name: told[name], language=here.language
    )
    table = [
        {"at": run["at"], "run": run["run"], "value": run["figures"][metric]}
        for run in runs
        if metric in run["figures"]
    ]
    line_plot(
        table,
        x={"field": "at", "type": "temporal", "title": here.say("evaluated_at")},
        y={"field": "value", "type": "quantitative", "title": told[metric]},
        color={"field": "run", "type": "nominal"},
        description=told[metric],
    )
    at, asked = here.say("evaluated_at"), here.say("evaluation_variants")
    rows = [
        {at: run["at"].replace("T", " "), asked: run["run"]}
        | {told[name]: run["figures"].get(name) for name in names}
        for run in reversed(runs)
    ]
    st.dataframe(rows, hide_index=True)


def figure_name(name: str, language: str) -> str:
    """Return what a figure of an evaluation is called; one that an other version of Tekio wrote, by its own name."""
    with suppress(KeyError):
        return label(f"score_of_{name}", language)
    return one_line(name)


def history(results: Sequence[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Return the figures of runs, oldest first: each with when (`at`), which (`run`) and its `figures` by name.

    Args:
        results: when each evaluation ended, and what it gave as JSON.
    """
    found = []
    for at, result in results:
        runs = result.get("runs") if isinstance(result, Mapping) else None
        for run in runs or []:
            figures = {
                str(name): float(figure["value"])
                for name, figure in dict(run.get("figures") or {}).items()
                if isinstance(figure, Mapping) and isinstance(figure.get("value"), int | float)
            }
            if figures:
                found.append({"at": at[:19], "run": str(run.get("name") or ""), "figures": figures})
    return sorted(found, key=lambda run: run["at"])
