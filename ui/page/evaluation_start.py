"""An evaluation started from the page: which questions, asked of whom, and how far it is."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import streamlit as st

from plugins.memory.feedback import Feedback
from retrieval.errors import TekioError, UsageError
from ui import chat_view as view
from ui.failures import describe
from ui.jobs.jobs import Jobs
from ui.jobs.kinds import EvaluationJob
from ui.jobs.parts import MOST_ROWS
from ui.page.here import Here
from ui.page.job_box import show_job
from ui.page.job_messages import said
from ui.page.uploader import uploader_box
from ui.plaintext import one_line

_SAID = "evaluation_said"
_MOST_MB = 20
_KINDS = ["jsonl"]
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


def rows_of(name: str, data: bytes) -> list[dict[str, Any]]:
    """Return the questions of a file of JSON lines, checked as the evaluation itself checks them.

    Raises:
        UsageError: it cannot be read, a line of it is no question, or there are too many.
    """
    from evaluation.answers.reading.formats import read_questions
    from evaluation.answers.reading.rows import json_lines

    with TemporaryDirectory() as folder:
        path = Path(folder) / "questions.jsonl"
        path.write_bytes(data)
        try:
            read_questions(path)
            return _few([row for row, _ in json_lines(path)])
        except UsageError as error:
            raise UsageError(str(error).replace(str(path), one_line(name)[:100])) from error


def rows_said(said: list[Feedback]) -> list[dict[str, Any]]:
    """Return the questions to which people approved an answer or gave the right one, each once, its newest answer.

    Raises:
        UsageError: there are none, or too many.
    """
    newest = {row.question: row for row in sorted(said, key=lambda row: row.id) if row.approved}
    rows = [
        {"id": f"feedback-{row.id}", "question": row.question, "answer": row.approved}
        for row in newest.values()
    ]
    if not rows:
        raise UsageError("nobody has approved or corrected an answer yet: rate some, or take a file")
    return _few(rows)


def _few(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(rows) > MOST_ROWS:
        raise UsageError(
            f"these are {len(rows):,} questions; {MOST_ROWS:,} are the most: take a part of them"
        )
    return rows


def _wizard(here: Here, jobs: Jobs) -> None:
    engine = here.engine
    st.html(view.text_html(here.say("evaluation_help"), "tagline"))
    with st.form("evaluation", border=False):
        with uploader_box(here, "evaluation_box", _MOST_MB, _KINDS):
            file = st.file_uploader(
                here.say("evaluation_file"),
                type=_KINDS,
                key="evaluation_file",
                help=here.say("evaluation_file_help"),
                max_upload_size=_MOST_MB,
            )
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
        rows = rows_of(file.name, file.getvalue()) if file else rows_said(engine.feedback(here.caller))
        request = EvaluationJob(
            kind="evaluation",
            rows=rows,
            variants=variants or [engine.default_variant()],
            techniques=techniques,
            limit=int(limit) or None,
        )
        jobs.start(request, by=here.caller.user if here.caller and here.caller.user else "")
    except TekioError as error:
        st.session_state[_SAID] = said(describe(error), here.language)
    st.rerun()
