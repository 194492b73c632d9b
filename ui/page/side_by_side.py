"""The page on which two or three variants answer the same question."""

from __future__ import annotations

import streamlit as st

from ui import chat_view as view
from ui.page.here import Here


def side_by_side_page(here: Here) -> None:
    """Draw the page."""
    st.html(view.text_html(here.say("page_side_by_side"), "title"))
