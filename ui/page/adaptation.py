"""The page of adaptation: which way to adapt a model, training one, and the adapters that there are."""

from __future__ import annotations

import streamlit as st

from ui import chat_view as view
from ui.chat_advice import advise
from ui.page.here import Here
from ui.page.rights import may_run


def adaptation_page(here: Here) -> None:
    """Draw the page."""
    st.html(view.text_html(here.say("page_adaptation"), "title"))
    if not may_run(here):
        advise(here.language)
        return
    names = ("adviser", "training", "adapters", "composed", "examples")
    asked, trained, held, composed, examples = st.tabs([here.say(f"tab_{name}") for name in names])
    with asked:
        advise(here.language)
    with trained:
        from ui.page.training import show_training

        show_training(here)
    with held:
        from ui.page.adapters import show_adapters

        show_adapters(here)
    with composed:
        from ui.page.fits import show_fits

        show_fits(here)
    with examples:
        from ui.page.examples import show_examples

        show_examples(here)
