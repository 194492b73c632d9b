"""An adapter trained from the page: what is asked for, its curve while it learns, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from retrieval.errors import TekioError
from ui import chat_view as view
from ui.failures import describe
from ui.jobs.jobs import Jobs
from ui.jobs.kinds import FineTuneJob
from ui.jobs.records import Job
from ui.page.here import Here
from ui.page.job_box import show_job
from ui.plaintext import one_line

_SAID = "training_said"


def show_training(here: Here) -> None:
    """Draw the wizard, and the last training."""
    jobs = Jobs(here.settings)
    if said := st.session_state.pop(_SAID, ""):
        st.html(view.notice_html(said, "error"))
    listed = [job for job in jobs.listed() if job.kind == "fine_tune"]
    if not (listed and not listed[0].has_ended):
        _wizard(here, jobs)
    if listed:
        job = listed[0]
        title = f"{here.say('training_of')} {one_line(str(job.options.get('name')))}"
        show_job(here, jobs, job, title, lambda job: _show_figures(here, jobs, job))


def losses(events: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Return the curve of a training out of the events of its job: step, loss, held-out loss where it is known."""
    found: dict[int, dict[str, float]] = {}
    for event in events:
        if event.get("event") == "progress" and isinstance(event.get("loss"), int | float):
            point = {"step": float(event["done"]), "loss": float(event["loss"])}
            if isinstance(event.get("held_out"), int | float):
                point["held_out"] = float(event["held_out"])
            found[int(event["done"])] = point
    return [found[step] for step in sorted(found)]


def figures_html(here: Here, figures: Mapping[str, Any]) -> str:
    """Return what an adapter changed, as a table of base and adapter."""
    rows = []
    for name, change in dict(figures.get("figures") or {}).items():
        if isinstance(change, Mapping) and "before" in change and "after" in change:
            label = str(change.get("label") or name)
            rows.append((label, _number(change["before"]), _number(change["after"])))
    if not rows:
        return ""
    head = (here.say("figure"), here.say("before"), here.say("after"))
    cells = "".join(f"<th scope='col'>{view.cell(text)}</th>" for text in head)
    body = "".join("<tr>" + "".join(f"<td>{view.cell(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f'<table class="tk-table"><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>'


def _wizard(here: Here, jobs: Jobs) -> None:
    from adaptation.finetuning.methods import METHODS

    st.html(view.text_html(here.say("training_help"), "tagline"))
    with st.form("training", border=False):
        name = st.text_input(here.say("adapter_name"), "domain", max_chars=100, key="training_name")
        method = st.selectbox(here.say("method"), list(METHODS), key="training_method")
        left, right = st.columns(2)
        with left:
            made_up = st.number_input(here.say("made_up"), 0, 100_000, 300, key="training_made_up")
            feedback = st.checkbox(here.say("use_feedback"), value=True, key="training_feedback")
        with right:
            epochs = st.number_input(here.say("epochs"), 0.1, 100.0, 2.0, key="training_epochs")
            force = st.checkbox(here.say("replace_adapter"), key="training_force")
        wanted = st.form_submit_button(here.say("train"), type="primary", key="train")
    if not wanted:
        return
    try:
        request = FineTuneJob(
            kind="fine_tune",
            name=name,
            method=method,
            made_up=int(made_up),
            feedback=feedback,
            epochs=float(epochs),
            force=force,
        )
        jobs.start(request, by=here.caller.user if here.caller and here.caller.user else "")
    except TekioError as error:
        st.session_state[_SAID] = describe(error)
    except ValueError:
        st.session_state[_SAID] = here.say("adapter_name_wrong")
    st.rerun()


def _show_figures(here: Here, jobs: Jobs, job: Job) -> None:
    curve = losses(jobs.events(job.id))
    if len(curve) > 1:
        names = [name for name in ("loss", "held_out") if any(name in point for point in curve)]
        st.line_chart(
            curve, x="step", y=names, x_label=here.say("step"), y_label=here.say("loss"), height=260
        )
    result = jobs.result(job.id)
    if isinstance(result, Mapping):
        held = result.get("figures")
        st.html(figures_html(here, held if isinstance(held, Mapping) else result))


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else str(value)
