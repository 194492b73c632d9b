"""The adapters that there are: what each changed, which one answers by default, and the way back."""

from __future__ import annotations

from html import escape

import streamlit as st

from adaptation.registry import registered, rollback, versions
from kernel.chat.adapters import AdapterCard
from retrieval.errors import TekioError
from ui import chat_view as view
from ui.page.curves import show_curve
from ui.page.figures import figures_html, is_doubtful
from ui.page.here import Here
from ui.plaintext import one_line

_SAID = "adapters_said"


def show_adapters(here: Here) -> None:
    """Draw who answers by default, and the adapters."""
    if said := st.session_state.pop(_SAID, ""):
        st.html(view.notice_html(said))
    usual = here.engine.default_variant()
    names = here.engine.variants()
    adapters = here.settings.adapters
    found = registered(adapters) if adapters.is_dir() else []
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        chosen = st.selectbox(
            here.say("default_variant"),
            names,
            index=names.index(usual) if usual in names else 0,
            key="default_variant",
        )
    sure = True
    if chosen != usual and chosen in found and _is_doubtful(here, chosen):
        st.html(view.notice_html(here.say("default_doubtful", variant=chosen), "warn"))
        sure = st.checkbox(here.say("default_sure"), key=f"default_sure_{chosen}")
    with right:
        st.button(
            here.say("make_default"),
            key="make_default",
            disabled=chosen == usual or not sure,
            on_click=_make_default,
            args=(here, chosen),
        )
    if not found:
        st.html(view.notice_html(here.say("no_adapters")))
    for name in found:
        with st.container(border=True):
            _show(here, name)


def _show(here: Here, name: str) -> None:
    folder = here.settings.adapters / name
    st.html(view.text_html(name, "panel-title"))
    try:
        card = AdapterCard.read(folder)
    except TekioError as error:
        st.html(view.notice_html(here.worded(error), "warn"))
        return
    if card is not None:
        facts = " · ".join(
            one_line(part) for part in (card.method, card.base, card.made[:16].replace("T", " ")) if part
        )
        st.html(f'<div class="tk-meta">{escape(facts)}</div>' + figures_html(here, card.figures))
        if len(card.curve) > 1 and all("step" in point for point in card.curve):
            with st.expander(here.say("loss")):
                show_curve(here, card.curve)
    earlier = len(versions(name, here.settings.adapters))
    if earlier:
        st.button(
            here.say("roll_back", count=earlier),
            icon=":material/history:",
            key=f"roll_back_{name}",
            on_click=_roll_back,
            args=(here, name),
        )


def _is_doubtful(here: Here, name: str) -> bool:
    try:
        card = AdapterCard.read(here.settings.adapters / name)
    except TekioError:
        return False
    return card is not None and is_doubtful(card.figures)


def _make_default(here: Here, name: str) -> None:
    try:
        here.engine.keep_default_variant(name)
        st.session_state[_SAID] = here.say("is_default", variant=name)
    except TekioError as error:
        st.session_state[_SAID] = here.worded(error)


def _roll_back(here: Here, name: str) -> None:
    try:
        rollback(name, here.settings.adapters)
        st.session_state[_SAID] = here.say("rolled_back", variant=name)
    except TekioError as error:
        st.session_state[_SAID] = here.worded(error)
