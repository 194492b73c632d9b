"""Buttons that take a conversation away; a file is made when its button is pressed."""

from __future__ import annotations

import re
from functools import partial

import streamlit as st

from retrieval.errors import TekioError
from ui import chat_view as view
from ui.conversation_export import MEDIA_TYPES, SUFFIXES, can_write_pdf
from ui.page.here import Here
from ui.page.talk_state import Talk

_ODD = re.compile(r"[^\w-]+")


def offer_exports(here: Here, talk: Talk, title: str) -> None:
    """Offer the conversation at hand in each form."""
    name = _ODD.sub("-", title).strip("-")[:60] or "tekio"
    with st.container(horizontal=True):
        for form, shown in (("markdown", "Markdown"), ("json", "JSON"), ("pdf", "PDF")):
            if form == "pdf" and not can_write_pdf():
                continue
            st.download_button(
                shown,
                data=partial(_made, here, talk, form),
                file_name=f"{name}.{SUFFIXES[form]}",
                mime=MEDIA_TYPES[form],
                key=f"export_{form}",
                icon=":material/download:",
                on_click="ignore",
            )
    if not can_write_pdf():
        st.html(view.text_html(here.say("no_pdf"), "meta"))


def _made(here: Here, talk: Talk, form: str) -> bytes:
    here.note("export", talk.shown)
    try:
        return here.engine.export(talk.name, form, here.language, here.caller)
    except TekioError as error:  # it was deleted in another window
        return here.worded(error).encode()
