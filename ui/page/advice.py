"""The page of adaptation: which way to adapt a model, by what is asked and answered."""

from __future__ import annotations

import streamlit as st

from ui import chat_view as view
from ui.chat_advice import advise
from ui.page.here import Here


def advice_page(here: Here) -> None:
    """Draw the page."""
    st.html(view.text_html(here.say("page_adaptation"), "title"))
    advise(here.language)
