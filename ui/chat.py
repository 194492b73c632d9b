"""The chat page: `tekio chat` runs this file with Streamlit.

Streamlit runs it from top to bottom at every click. The engine is cached beside it, answers are made in the engine
and conversations kept in their store, so that a rerun neither loads a model nor loses an answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import streamlit as st

from kernel.settings import load_settings
from retrieval.errors import TekioError, UsageError
from ui import chat_view as view
from ui.chat_engine import Engine
from ui.chat_style import ICON, STYLE
from ui.console import quiet_libraries
from ui.identity import caller_of
from ui.locales import LANGUAGES, label
from ui.messages import error_said
from ui.page import signals
from ui.page.adaptation import adaptation_page
from ui.page.documents import documents_page
from ui.page.here import Here
from ui.page.quality import quality_page
from ui.page.settings_view import settings_page
from ui.page.side_by_side import side_by_side_page
from ui.page.streamlit_texts import speak
from ui.page.talk import talk_page

log = logging.getLogger("tekio.chat")

# Name, icon and what draws it; the first is where one begins. (A text below it would be shown: this file is a page.)
_PAGES: tuple[tuple[str, str, Callable[[Here], None]], ...] = (
    ("chat", "forum", talk_page),
    ("documents", "folder_open", documents_page),
    ("side_by_side", "compare", side_by_side_page),
    ("adaptation", "tune", adaptation_page),
    ("quality", "monitoring", quality_page),
    ("settings", "settings", settings_page),
)


@st.cache_resource(show_spinner=False, on_release=Engine.leave)
def load_engine(index: str) -> Engine:
    """Open the engine of an index, once for all sessions and reruns."""
    return Engine(load_settings(index=index))


def page() -> None:
    """Draw the page."""
    st.set_page_config(page_title="Tekio", page_icon=ICON, layout="wide")
    st.html(STYLE)
    language = _language()
    pages = [
        st.Page(
            partial(_draw, draw),
            title=label(f"page_{name}", language),
            icon=f":material/{icon}:",
            url_path="" if number == 0 else name,
            default=number == 0,
        )
        for number, (name, icon, draw) in enumerate(_PAGES)
    ]
    st.navigation(pages).run()
    _choose_language(language)


def _draw(draw: Callable[[Here], None]) -> None:
    language = _language()
    settings = load_settings()
    with st.spinner(label("opening", language)):
        engine = load_engine(settings.store or str(settings.index.absolute()))
    try:
        caller = caller_of(st.context.headers.get_all, settings)
    except UsageError as error:
        st.html(view.notice_html(error_said(error, language), "warn"))
        return
    speak(language)
    client = st.context.ip_address or "127.0.0.1"  # Streamlit names no address of this machine itself
    draw(Here(engine, caller, language, settings, signals.listen(), client))


def _language() -> str:
    """Return the language that was chosen, else the browser's."""
    browser = (st.context.locale or "").lower()
    return str(st.session_state.get("language") or ("ja" if browser.startswith("ja") else "en"))


def _choose_language(language: str) -> None:
    names = list(LANGUAGES)
    with st.sidebar:
        st.radio(
            "Language / 言語",
            names,
            format_func=LANGUAGES.__getitem__,
            index=names.index(language),
            horizontal=True,
            key="language",
        )


def main() -> None:
    """Draw the page; whatever goes wrong is one line on it, and the log has the rest."""
    quiet_libraries()
    try:
        page()
    except TekioError as error:
        st.html(STYLE + view.notice_html(error_said(error, _language()), "error"))
    except Exception as error:
        log.exception("the page failed")
        st.html(STYLE + view.notice_html(error_said(error, _language()), "error"))


if __name__ == "__main__":
    main()
