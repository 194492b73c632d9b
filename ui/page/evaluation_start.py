"""An evaluation started from the page: which questions, asked of whom, and how far it is."""

from __future__ import annotations

import streamlit as st

from retrieval.errors import TekioError
from ui import chat_view as view
from ui.jobs.jobs import Jobs
from ui.jobs.kinds import EvaluationJob
from ui.page.here import Here
from ui.page.job_box import show_job
from ui.page.question_files import given_rows, question_file
from ui.plaintext import one_line

_SAID = "evaluation_said"
_MOST_NAMES = 10


def offer_evaluation(here: Here, jobs: Jobs) -> None:
    """Draw what an evaluation is started with, and the last one."""
    if wrong := st.session_state.pop(_SAID, ""):
        st.html(view.notice_html(wrong, "error"))
    listed = [job for job in jobs.listed() if job.kind == "evaluation"]
    if not (listed and not listed[0].has_ended):
        with st.expander(here.say("evaluate"), icon=":material/play_arrow:", expanded=not listed):
            _wizard(here, jobs)
    if listed:
        options = listed[0].options
        asked = [*map(str, options.get("variants") or ())]
        ways = [view.technique_name(str(name), here.language) for name in options.get("techniques") or ()]
        names = " · ".join(filter(None, (", ".join(asked), ", ".join(ways))))
        show_job(here, jobs, listed[0], one_line(f"{here.say('evaluation_of')} {names}"))


def _wizard(here: Here, jobs: Jobs) -> None:
    engine = here.engine
    st.html(view.text_html(here.say("evaluation_help"), "tagline"))
    with st.form("evaluation", border=False):
        file = question_file(here, "evaluation_box", "evaluation_file")
        left, right = st.columns(2)
        with left:
            variants = st.multiselect(
                here.say("evaluation_variants"),
                engine.variants(),
                [engine.default_variant()],
                key="evaluation_variants",
                max_selections=_MOST_NAMES,
            )
            limit = st.number_input(here.say("evaluation_limit"), 0, 100_000, 0, key="evaluation_limit")
        with right:
            techniques = st.multiselect(
                here.say("evaluation_techniques"),
                engine.techniques(),
                [here.settings.technique.value],
                format_func=lambda name: view.technique_name(name, here.language),
                key=f"evaluation_techniques_{here.language}",
                max_selections=_MOST_NAMES,
            )
        wanted = st.form_submit_button(here.say("train"), type="primary", key="evaluate")
    if not wanted:
        return
    try:
        rows = given_rows(here, file)
        request = EvaluationJob(
            kind="evaluation",
            rows=rows,
            variants=variants or [engine.default_variant()],
            techniques=techniques,
            limit=int(limit) or None,
        )
        jobs.start(request, by=here.caller.user if here.caller and here.caller.user else "")
    except TekioError as error:
        st.session_state[_SAID] = here.worded(error)
    st.rerun()
