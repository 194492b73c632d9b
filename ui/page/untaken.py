"""Files that ingests looked at and could not take in: each with the reason and what to do about it."""

from __future__ import annotations

import streamlit as st

from ingest.blocks import Outcome
from ingest.report import FileReport
from ingest.untaken import LeftOut
from ui import chat_view as view
from ui.page.here import Here
from ui.page.rights import may_run
from ui.page.uploading import outcome_html

_SHOWN = 50


def show_untaken(here: Here) -> None:
    """Draw the list, for those who run the service: of these files nobody knows who may read them."""
    if not may_run(here):
        return
    left = here.engine.left_out()
    if left.files:
        with st.expander(here.say("not_taken", count=len(left.files)), icon=":material/error:"):
            st.html(untaken_html(here, left))


def untaken_html(here: Here, left: LeftOut) -> str:
    """Return the files, of very many the first ones."""
    rows = [
        outcome_html(here, each.name, FileReport(each.path, Outcome(each.outcome), message=each.message))
        for each in left.files[:_SHOWN]
    ]
    if left.more or len(left.files) > _SHOWN:
        rows.append(view.text_html(here.say("not_taken_more"), "meta"))
    return view.text_html(here.say("not_taken_help"), "meta") + "".join(rows)
