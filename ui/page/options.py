"""What a question is asked with: who answers, how the prompt is built, where to look."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from kernel.asking import MOST_SAMPLES
from kernel.techniques import STEPPED
from kernel.variant_names import EXTRACTIVE
from retrieval.records import DocumentSummary
from ui import chat_view as view
from ui.locales import label
from ui.page.collections import choose_collections, where_of
from ui.page.here import Here
from ui.page.turn import How
from ui.variant_text import made_of, variant_name

ASKED = "asked_collections"
"""Under this name the collections are kept that questions are asked of, on each page that asks some."""


def choose_how(here: Here, documents: Sequence[DocumentSummary]) -> How:
    """Offer in the sidebar what a question is asked with; return what was chosen.

    Args:
        here: the page.
        documents: those that can be asked, of which the collections are offered.
    """
    engine, settings, language = here.engine, here.settings, here.language
    with st.sidebar:
        narrowed = where_of(choose_collections(here, documents, ASKED))
    usual = engine.default_variant()
    described = {each.name: each for each in engine.variant_descriptions()}
    with st.sidebar.expander(here.say("options"), icon=":material/tune:"):
        # The empty name leaves the choice to the facade, which then minds the question's language.
        variant = select(
            "variant",
            ["", *described],
            default="",
            name_of=lambda name: (
                variant_name(described[name], language) if name else here.say("automatic", variant=usual)
            ),
            language=language,
            explained=here.say("variant_help"),
        )
        if (shown := described.get(variant or usual)) is not None and (told := made_of(shown, language)):
            st.html(view.text_html(told, "meta"))
        technique = select(
            "technique",
            engine.techniques(),
            default=settings.technique.value,
            name_of=lambda name: view.technique_name(name, language),
            language=language,
        )
        samples = 1
        if technique in STEPPED and variant != EXTRACTIVE:
            title, explained = here.say("samples"), here.say("samples_help")
            samples = st.slider(title, 1, MOST_SAMPLES, 1, help=explained, key="samples")
        top_k = st.slider(here.say("top_k"), 1, max(20, settings.top_k), settings.top_k, key="top_k")
        where = write_filters(here)
        trace = st.toggle(here.say("show_prompt"), help=here.say("show_prompt_help"), key="trace")
    return How(variant or None, technique, top_k, (*narrowed, *where), samples, trace)


def write_filters(here: Here) -> tuple[str, ...]:
    """Offer to write filters; return those that were written."""
    filters = st.text_input(
        here.say("where"),
        max_chars=500,
        placeholder="language=ja; tag.ward=icu",
        help=here.say("where_help"),
        key="where",
    )
    return tuple(part.strip() for part in filters.replace("；", ";").split(";") if part.strip())


def select(
    name: str,
    options: Sequence[str],
    *,
    default: str,
    name_of: Callable[[str], str],
    language: str,
    explained: str | None = None,
) -> str:
    """Offer a choice that outlives a change of the page's language.

    The widget's key changes with the language, because a box that stays the same goes on showing the name
    of its choice in the old one; so the choice itself is kept beside it.
    """
    chosen = st.session_state.get(name, default)
    picked = st.selectbox(
        label(name, language),
        options,
        index=options.index(chosen) if chosen in options else 0,
        format_func=name_of,
        help=explained,
        key=f"{name}_{language}",
    )
    st.session_state[name] = picked
    return picked
