"""A job that was started from the page: how it stands, followed while it runs, and a way to cancel it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ui import chat_view as view
from ui.jobs.jobs import Jobs
from ui.jobs.records import Job
from ui.messages import said
from ui.page.here import Here
from ui.plaintext import one_line

_EVERY_SECONDS = 2.0


def show_job(here: Here, jobs: Jobs, job: Job, title: str, more: Callable[[Job], None] | None = None) -> None:
    """Draw a job; while it runs it alone is drawn again, so that nothing else of the page moves.

    Args:
        here: the page.
        jobs: of the server.
        job: the one to follow.
        title: above it.
        more: draws what is below its state.
    """
    every = None if job.has_ended else _EVERY_SECONDS
    st.fragment(_draw, run_every=every)(here, jobs, job.id, title, more)


def progress_text(here: Here, job: Job) -> str:
    """Return how far a job is, in the language of the page: in its own words where they are known, else in figures."""
    figures = job.progress
    done, total = figures.get("done"), figures.get("total")
    message = str(figures.get("message") or job.message)
    told = said(message, here.language)
    if here.language == "en" or told != message or not (done and total):
        return told
    parts = [here.say("job_counts", done=f"{done:,}", total=f"{total:,}")]
    for name in ("loss", "held_out"):
        if isinstance(figures.get(name), int | float):
            parts.append(f"{here.say(name)} {figures[name]:.3f}")
    if figures.get("seconds_left"):
        parts.append(here.say("job_left", seconds=round(figures["seconds_left"])))
    return " · ".join(parts)


def _draw(here: Here, jobs: Jobs, job_id: str, title: str, more: Callable[[Job], None] | None) -> None:
    job = jobs.get(job_id)
    with st.container(border=True):
        st.html(view.text_html(title, "panel-title"))
        st.html(view.text_html(here.say(f"job_{job.state}"), "meta"))
        if not job.has_ended:
            _show_progress(here, jobs, job)
        elif job.state != "succeeded" and job.message:
            st.html(view.notice_html(said(job.message, here.language), "error"))
        if more is not None:
            more(job)
    if job.has_ended and st.session_state.pop(f"running_{job_id}", False):
        st.rerun()  # the whole page, of which other parts wait for this
    if not job.has_ended:
        st.session_state[f"running_{job_id}"] = True


def _show_progress(here: Here, jobs: Jobs, job: Job) -> None:
    done, total = job.progress.get("done"), job.progress.get("total")
    text = one_line(progress_text(here, job))[:120]
    st.progress(min(1.0, done / total) if done and total else 0.0)
    st.html(view.text_html(text, "meta"))
    if st.button(here.say("cancel_job"), icon=":material/stop_circle:", key=f"cancel_{job.id}"):
        jobs.cancel(job.id)
