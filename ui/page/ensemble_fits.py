"""Ensembles of the settings: how each stands, and fits of those that can be fitted, as jobs."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from kernel.composed.describing import describe_variants
from kernel.composed.standing import standing
from kernel.ensembles.settings import FITTED_RULES, TOKEN_RULES
from retrieval.errors import TekioError
from ui import chat_view as view
from ui.jobs.fits import EnsembleJob
from ui.jobs.jobs import Jobs
from ui.jobs.records import Job
from ui.page.fit_figures import ensemble_html
from ui.page.here import Here
from ui.page.job_box import show_job
from ui.page.question_files import given_rows, question_file
from ui.plaintext import one_line
from ui.variant_text import made_of

_SAID = "ensemble_fit_said"


def show_ensembles(here: Here, jobs: Jobs) -> None:
    """Draw the ensembles, what one is fitted with, and the last fit."""
    if said := st.session_state.pop(_SAID, ""):
        st.html(view.notice_html(said, "error"))
    for described in describe_variants(here.settings.ensembles, here.settings):
        found = standing(described.name, here.settings)
        told = here.say("fit_done" if found.fitted else "fit_missing") if found.fitted is not None else ""
        facts = " · ".join(filter(None, (made_of(described, here.language), told)))
        st.html(view.text_html(described.name, "panel-title") + view.text_html(facts, "meta"))
        if found.problem:
            st.html(view.notice_html(here.worded(found.problem), "warn"))
    listed = [job for job in jobs.listed() if job.kind == "ensemble"]
    names = [name for name, told in here.settings.ensembles.items() if told.rule in FITTED_RULES]
    if names and not (listed and not listed[0].has_ended):
        _form(here, jobs, names)
    if listed:
        title = f"{here.say('fit_of')} {one_line(str(listed[0].options.get('name')))}"
        show_job(here, jobs, listed[0], title, lambda job: _show_figures(here, jobs, job))


def _form(here: Here, jobs: Jobs, names: list[str]) -> None:
    with st.expander(here.say("fit_ensemble"), icon=":material/play_arrow:"):
        st.html(view.text_html(here.say("fit_ensemble_help"), "tagline"))
        with st.form("fit_ensemble_form", border=False):
            name = st.selectbox(here.say("fit_which"), names, key="fit_ensemble_name")
            file = question_file(here, "fit_box", "fit_file")
            without = st.checkbox(
                here.say("fit_without"), key="fit_without", help=here.say("fit_without_help")
            )
            wanted = st.form_submit_button(here.say("train"), type="primary", key="fit_ensemble_start")
    if not wanted:
        return
    try:
        rows = given_rows(here, file)
        mixes = here.settings.ensembles[name].rule in TOKEN_RULES
        request = EnsembleJob(kind="ensemble", name=name, rows=rows, without_documents=without and not mixes)
        jobs.start(request, by=here.caller.user if here.caller and here.caller.user else "")
    except TekioError as error:
        st.session_state[_SAID] = here.worded(error)
    st.rerun()


def _show_figures(here: Here, jobs: Jobs, job: Job) -> None:
    result = jobs.result(job.id)
    if isinstance(result, Mapping):
        figures = result.get("figures") if isinstance(result.get("figures"), Mapping) else result
        st.html(ensemble_html(here, str(job.options.get("name")), figures or {}))
