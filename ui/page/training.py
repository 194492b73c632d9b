"""An adapter trained from the page: what is asked for, its curve while it learns, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from retrieval.errors import TekioError
from ui import chat_view as view
from ui.jobs.jobs import Jobs
from ui.jobs.kinds import FineTuneJob
from ui.jobs.records import Job
from ui.page.curves import show_curve
from ui.page.figures import figures_html
from ui.page.here import Here
from ui.page.job_box import show_job
from ui.plaintext import one_line

_SAID = "training_said"
_REHEARSED = 120
_MEASURED = 40
"""What `tekio adapt dataset` and `tekio adapt train` take where they are told nothing."""


def show_training(here: Here) -> None:
    """Draw the wizard, and the last training."""
    jobs = Jobs(here.settings)
    if wrong := st.session_state.pop(_SAID, ""):
        st.html(view.notice_html(wrong, "error"))
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


def methods() -> list[str]:
    """Name the methods that learn from what the wizard makes: answers over passages, or rated answers."""
    from adaptation.finetuning.methods import METHODS

    return [
        each.name
        for each in METHODS.values()
        if (each.learns == "answers" and not each.kinds) or each.name == "dpo"
    ]


def _wizard(here: Here, jobs: Jobs) -> None:
    st.html(view.text_html(here.say("training_help"), "tagline"))
    with st.form("training", border=False):
        name = st.text_input(here.say("adapter_name"), "domain", max_chars=100, key="training_name")
        method = st.selectbox(
            here.say("method"),
            methods(),
            format_func=lambda name: f"{name}: {here.say(f'method_{name}')}",
            key="training_method",
        )
        left, right = st.columns(2)
        with left:
            made_up = st.number_input(here.say("made_up"), 0, 100_000, 300, key="training_made_up")
            feedback = st.checkbox(here.say("use_feedback"), value=True, key="training_feedback")
        with right:
            epochs = st.number_input(here.say("epochs"), 0.1, 100.0, 2.0, key="training_epochs")
            force = st.checkbox(here.say("replace_adapter"), key="training_force")
        with st.expander(here.say("training_details")):
            rehearse = st.number_input(
                here.say("rehearse"),
                0,
                2000,
                _REHEARSED,
                help=here.say("rehearse_help"),
                key="training_rehearse",
            )
            measure = st.number_input(
                here.say("measured"),
                0,
                1000,
                _MEASURED,
                help=here.say("measured_help"),
                key="training_measure",
            )
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
            rehearse=int(rehearse),
            measure=int(measure),
            force=force,
        )
        jobs.start(request, by=here.caller.user if here.caller and here.caller.user else "")
    except TekioError as error:
        st.session_state[_SAID] = here.worded(error)
    except ValueError:
        st.session_state[_SAID] = here.say("adapter_name_wrong")
    st.rerun()


def _show_figures(here: Here, jobs: Jobs, job: Job) -> None:
    curve = losses(jobs.events(job.id))
    if len(curve) > 1:
        show_curve(here, curve)
    result = jobs.result(job.id)
    if isinstance(result, Mapping):
        held = result.get("figures")
        st.html(figures_html(here, held if isinstance(held, Mapping) else result))
