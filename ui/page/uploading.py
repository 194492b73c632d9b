"""Files taken in on the page: dropped, read with progress, and told one by one what became of each and what to do."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from html import escape

import streamlit as st

from ingest.pipeline import Progress
from ingest.report import FileReport
from kernel.library.results import Upload, UploadReport
from retrieval.errors import TekioError
from retrieval.filter_text import parse_tags
from retrieval.records import DocumentSummary
from ui import chat_view as view
from ui.chat_engine import knows
from ui.page.collections import name_collection
from ui.page.here import Here
from ui.page.rights import may_change
from ui.page.uploader import uploader_box
from ui.plaintext import one_line

log = logging.getLogger("tekio.chat")

_ROUND = "upload_round"
_SAID = "library_said"
_GOOD = ("ok", "unchanged", "removed")
TO_MEND = ("partial", "no_text_layer", "empty", "encrypted", "unsupported", "failed")
"""Outcomes about which something can be done."""


def offer_upload(here: Here, documents: Sequence[DocumentSummary]) -> None:
    """Offer to take in files; show what became of the last ones until the next.

    Args:
        here: the page.
        documents: those that there are, whose collections are offered.
    """
    if not knows(here.caller) or not may_change(here):
        return
    turn = st.session_state.setdefault(_ROUND, 0)
    most = here.settings.max_upload_mb
    with uploader_box(here, "upload_box", most):
        files = st.file_uploader(
            here.say("upload"),
            accept_multiple_files=True,
            key=f"upload_{turn}",
            help=here.say("upload_help"),
            max_upload_size=most,
        )
    if files:
        collection = name_collection(here, documents, f"upload_collection_{turn}")
        tags = st.text_input(
            here.say("tags_field"), max_chars=1000, help=here.say("tags_help"), key=f"upload_tags_{turn}"
        )
        if st.button(
            here.say("upload_now", count=len(files)),
            type="primary",
            icon=":material/upload:",
            key="upload_now",
        ):
            st.session_state[_SAID] = _taken(
                here, [Upload(file.name, file) for file in files], tags, collection
            )
            st.session_state[_ROUND] = turn + 1  # an empty field for the next
            st.rerun()
    if said := st.session_state.get(_SAID, ""):
        st.html(said)


def report_html(here: Here, report: UploadReport) -> str:
    """Return what became of files that were taken in."""
    counts = here.say(
        "upload_done",
        added=report.added,
        updated=report.updated,
        unchanged=report.unchanged,
        failed=report.failed,
    )
    rows = "".join(outcome_html(here, each.name, each.report) for each in report.files)
    return view.text_html(counts, "heading") + rows


def outcome_html(here: Here, name: str, report: FileReport) -> str:
    """Return what became of a file in plain words, and what to do about it."""
    outcome = str(report.outcome)
    said = here.say(f"outcome_{outcome}")
    advice = "" if outcome in _GOOD else here.say(f"advice_for_{outcome}")
    reason = here.worded(one_line(report.message))
    if report.empty_pages:
        reason += (" " if reason else "") + here.say("pages_without_text", count=len(report.empty_pages))
    kind = "info" if outcome in _GOOD else "warn" if outcome == "partial" else "error"
    parts = [f"<b>{escape(one_line(name))}</b>: {escape(said)}"]
    parts += [escape(part) for part in (reason, advice) if part]
    return f'<div class="tk-notice tk-{kind}">{"<br>".join(parts)}</div>'


def _taken(here: Here, files: Sequence[Upload], tags: str, collection: Sequence[str]) -> str:
    bar = st.progress(0.0, text=here.say("uploading", done=0, total=len(files)))

    def show(progress: Progress) -> None:
        share = progress.done / max(1, progress.total)
        bar.progress(min(1.0, share), text=here.say("uploading", done=progress.done, total=progress.total))

    given = [part for part in tags.replace("；", ";").split(";") if part.strip()]
    given += collection
    try:
        report = here.engine.library.upload(
            files, caller=here.caller, tags=parse_tags(given) or None, on_progress=show
        )
        here.note("upload", [each.name for each in report.files])
        return report_html(here, report)
    except TekioError as error:
        return view.notice_html(here.worded(error), "error")
    except Exception as error:
        log.exception("an upload failed")
        return view.notice_html(here.worded(error), "error")
    finally:
        bar.empty()
