"""Policies of the settings: trained as jobs, put to serve and taken out."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from kernel.policies.making import policy_folder
from kernel.policies.serving import PolicyState, activate, policy_state
from retrieval.errors import TekioError
from ui import chat_view as view
from ui.jobs.fits import RUN_FILE, PolicyJob
from ui.jobs.jobs import Jobs
from ui.jobs.records import Job, JobsFolder
from ui.page.fit_figures import policy_html
from ui.page.here import Here
from ui.page.job_box import show_job
from ui.plaintext import one_line

_SAID = "policies_said"
_STEPS = 1500


def show_policies(here: Here, jobs: Jobs) -> None:
    """Draw the policies, what one is trained with, and the last training."""
    if said := st.session_state.pop(_SAID, ""):
        st.html(view.notice_html(said))
    for name in here.settings.policies:
        with st.container(border=True):
            _show(here, name)
    listed = [job for job in jobs.listed() if job.kind == "policy"]
    if not (listed and not listed[0].has_ended):
        _form(here, jobs)
    if listed:
        title = f"{here.say('training_of')} {one_line(str(listed[0].options.get('name')))}"
        show_job(here, jobs, listed[0], title, lambda job: _show_figures(here, jobs, job))


def _show(here: Here, name: str) -> None:
    st.html(view.text_html(name, "panel-title"))
    try:
        state = policy_state(name, here.settings)
    except TekioError as error:
        st.html(view.notice_html(here.worded(error), "warn"))
        return
    policy = here.settings.policies[name]
    actions = ", ".join(action.label for action in policy.actions)
    serving = (
        here.say("policy_default", action=policy.actions[0].label)
        if state.serving is None
        else here.say("policy_serves", at=_when(state.serving.activated))
    )
    told = [here.say("parts_choices", names=actions), here.say("policy_decisions", count=state.decisions)]
    st.html(view.text_html(" · ".join(told), "meta") + view.text_html(serving))
    if state.missing:
        st.html(view.notice_html(here.say("policy_missing", names=", ".join(state.missing)), "warn"))
    _offer_candidate(here, state)
    if state.serving is not None:
        st.button(
            here.say("policy_take_out", count=state.earlier),
            icon=":material/history:",
            key=f"policy_back_{name}",
            on_click=_take_out,
            args=(here, name),
        )


def _offer_candidate(here: Here, state: PolicyState) -> None:
    """Offer to let serve what was trained last, unless that serves already."""
    trained, name = state.candidate, state.policy
    if trained is None or (state.serving is not None and state.serving.made == trained.made):
        return
    st.html(view.text_html(here.say("policy_trained", at=_when(trained.made)), "meta"))
    with st.expander(here.say("policy_worth")):
        st.html(policy_html(here, trained.value, here.settings.policies[name]))
    sure = trained.beats_default
    if not sure:
        st.html(view.notice_html(here.say("policy_not_better"), "warn"))
        sure = st.checkbox(here.say("policy_sure"), key=f"policy_sure_{name}_{trained.made}")
    st.button(
        here.say("policy_activate"),
        key=f"policy_activate_{name}",
        disabled=not sure or bool(state.missing),
        on_click=_activate,
        args=(here, name, not trained.beats_default),
    )


def _form(here: Here, jobs: Jobs) -> None:
    found = {job.id: job for job in jobs.listed() if job.kind == "evaluation" and _has_run(here, job)}
    with st.expander(here.say("policy_train"), icon=":material/play_arrow:"):
        st.html(view.text_html(here.say("policy_train_help"), "tagline"))
        with st.form("policy_form", border=False):
            name = st.selectbox(here.say("policy_which"), list(here.settings.policies), key="policy_name")
            chosen = st.multiselect(
                here.say("policy_evaluations"),
                list(found),
                format_func=lambda job_id: _evaluation(found[job_id]),
                key="policy_evaluations",
                help=here.say("policy_evaluations_help"),
            )
            left, right = st.columns(2)
            with left:
                steps = st.number_input(here.say("policy_steps"), 1, 1_000_000, _STEPS, key="policy_steps")
            with right:
                anew = st.checkbox(here.say("policy_anew"), key="policy_anew")
            wanted = st.form_submit_button(here.say("train"), type="primary", key="policy_start")
    if not wanted:
        return
    try:
        request = PolicyJob(
            kind="policy",
            name=name,
            evaluations=chosen,
            feedback=not chosen,
            steps=int(steps),
            anew=anew,
        )
        jobs.start(request, by=here.caller.user if here.caller and here.caller.user else "")
    except TekioError as error:
        st.session_state[_SAID] = here.worded(error)
    st.rerun()


def _has_run(here: Here, job: Job) -> bool:
    found = JobsFolder(here.settings.jobs).of(job.id)
    return job.has_ended and found is not None and (found.folder / RUN_FILE).is_file()


def _evaluation(job: Job) -> str:
    names = [str(name) for name in job.options.get("variants") or ()]
    return one_line(" · ".join(filter(None, (_when(job.created_at), ", ".join(names)))))


def _show_figures(here: Here, jobs: Jobs, job: Job) -> None:
    result, name = jobs.result(job.id), str(job.options.get("name"))
    value = result.get("value") if isinstance(result, Mapping) else None
    if isinstance(value, Mapping) and name in here.settings.policies:
        st.html(policy_html(here, value, here.settings.policies[name]))


def _activate(here: Here, name: str, force: bool) -> None:
    try:
        activate(name, here.settings, force=force)
        st.session_state[_SAID] = here.say("policy_activated", name=name)
    except TekioError as error:
        st.session_state[_SAID] = here.worded(error)


def _take_out(here: Here, name: str) -> None:
    try:
        policy_folder(name, here.settings).rollback()
        st.session_state[_SAID] = here.say("policy_taken_out", name=name)
    except TekioError as error:
        st.session_state[_SAID] = here.worded(error)


def _when(at: str) -> str:
    return at[:16].replace("T", " ")
