"""What makes answers of others' answers, fitted: ensembles and policies of the settings."""

from __future__ import annotations

import streamlit as st

from ui import chat_view as view
from ui.jobs.jobs import Jobs
from ui.page.here import Here


def show_fits(here: Here) -> None:
    """Draw the ensembles and the policies, with what fits and trains them."""
    jobs = Jobs(here.settings)
    if not (here.settings.ensembles or here.settings.policies):
        st.html(view.notice_html(here.say("no_composed")))
    if here.settings.ensembles:
        from ui.page.ensemble_fits import show_ensembles

        show_ensembles(here, jobs)
    if here.settings.policies:
        from ui.page.policies import show_policies

        show_policies(here, jobs)
