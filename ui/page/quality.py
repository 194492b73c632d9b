"""The page of quality: what people said of answers, and how evaluations went over time."""

from __future__ import annotations

import streamlit as st

from ui import chat_view as view
from ui.page.evaluations import show_evaluations
from ui.page.feedback import show_feedback
from ui.page.here import Here


def quality_page(here: Here) -> None:
    """Draw the page."""
    st.html(view.text_html(here.say("page_quality"), "title"))
    said, measured = st.tabs([here.say("tab_feedback"), here.say("tab_evaluations")])
    with said:
        show_feedback(here)
    with measured:
        show_evaluations(here)
