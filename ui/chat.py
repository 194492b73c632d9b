"""The chat page: `tekio chat` runs this file with Streamlit.

Streamlit runs it from top to bottom at every click. The engine is cached beside it and the conversation
lives in the session, so that a rerun neither loads a model nor loses an answer.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import streamlit as st

from kernel.answer import EXTRACTIVE
from kernel.asking import MOST_SAMPLES, STEPPED
from kernel.settings import Settings, load_settings
from kernel.trial import is_on_trial
from retrieval.access import Caller
from retrieval.errors import TekioError, UsageError
from retrieval.records import DocumentSummary
from retrieval.stores.opening import shown
from ui import chat_memory as memory
from ui import chat_view as view
from ui.chat_advice import offer_advice
from ui.chat_documents import offer_work, show_work
from ui.chat_engine import Engine, Turn
from ui.chat_style import ICON, STYLE
from ui.console import quiet_libraries
from ui.failures import describe
from ui.identity import caller_of
from ui.locales import LANGUAGES, label

log = logging.getLogger("tekio.chat")


@st.cache_resource(show_spinner=False)
def load_engine(index: str) -> Engine:
    """Open the engine of an index, once for all sessions and reruns."""
    return Engine(load_settings(index=index))


def page() -> None:
    """Draw the page."""
    st.set_page_config(page_title="Tekio", page_icon=ICON, layout="centered")
    st.html(STYLE)
    language = _choose_language()
    st.html(view.text_html("Tekio 適応", "title") + view.text_html(label("tagline", language), "tagline"))
    settings = load_settings()
    with st.spinner(label("opening", language)):
        engine = load_engine(settings.store or str(settings.index.absolute()))
    try:
        caller = caller_of(st.context.headers.get_all, settings)
    except UsageError as error:
        st.html(view.notice_html(str(error), "warn"))
        return
    documents = engine.documents(caller)
    how = _choose_how(engine, language, caller)
    clearing = st.sidebar.empty()
    work = offer_work(engine, [row.document for row in documents or []], how.variant, caller, language)
    offer_advice(language)
    _list_documents(documents or [], language)
    show_work(work, language)
    turns: list[Turn] = st.session_state.setdefault("turns", [])
    welcome = st.empty()
    if not documents:
        _say_no_index(settings, missing=documents is None, language=language)
    elif not turns:
        welcome.html(view.notice_html(label("welcome", language)))
    for place, turn in enumerate(turns):
        _show_question(turn)
        with st.chat_message("assistant", avatar=":material/menu_book:"):
            _show_outcome(turn, language)
            memory.thumbs(engine, turn, place, caller, language)
    question = st.chat_input(label("ask_placeholder", language), disabled=not documents)
    if question and question.strip():
        welcome.empty()
        turn = Turn(question.strip(), blind=how.variant is None and is_on_trial(engine.settings))
        turns.append(turn)  # before the answer: a rerun that interrupts it leaves the question standing
        _show_question(turn)
        with st.chat_message("assistant", avatar=":material/menu_book:"):
            _answer(engine, turn, how, turns[:-1], language=language)
            memory.thumbs(engine, turn, len(turns) - 1, caller, language)
    memory.panel(engine, caller, language)  # after the answer, which may have added to it
    if turns:  # filled last, so that it is there after the first answer too
        clearing.button(label("clear", language), icon=":material/delete:", on_click=turns.clear, key="clear")


def _choose_language() -> str:
    browser = (st.context.locale or "").lower()
    with st.sidebar:
        return st.radio(
            "Language / 言語",
            list(LANGUAGES),
            format_func=LANGUAGES.__getitem__,
            index=1 if browser.startswith("ja") else 0,
            horizontal=True,
            key="language",
        )


@dataclass(frozen=True, slots=True)
class _How:
    """What a question is asked with, beside its text."""

    variant: str | None
    technique: str
    top_k: int
    where: tuple[str, ...]
    caller: Caller | None
    samples: int


def _choose_how(engine: Engine, language: str, caller: Caller | None) -> _How:
    settings, usual = engine.settings, engine.default_variant()
    with st.sidebar:
        # The empty name leaves the choice to the facade, which then minds the question's language.
        variant = _select(
            "variant",
            ["", *engine.variants()],
            default="",
            name_of=lambda name: name or label("automatic", language, variant=usual),
            language=language,
            explained=label("variant_help", language),
        )
        technique = _select(
            "technique",
            engine.techniques(),
            default=settings.technique.value,
            name_of=lambda name: view.technique_name(name, language),
            language=language,
        )
        samples = 1
        if technique in STEPPED and variant != EXTRACTIVE:
            title, explained = label("samples", language), label("samples_help", language)
            samples = st.slider(title, 1, MOST_SAMPLES, 1, help=explained, key="samples")
        top_k = st.slider(label("top_k", language), 1, max(20, settings.top_k), settings.top_k, key="top_k")
        filters = st.text_input(
            label("where", language),
            max_chars=500,
            placeholder="language=ja; tag.ward=icu",
            help=label("where_help", language),
            key="where",
        )
    where = tuple(part.strip() for part in filters.replace("；", ";").split(";") if part.strip())
    return _How(variant or None, technique, top_k, where, caller, samples)


def _select(
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


def _list_documents(documents: Sequence[DocumentSummary], language: str) -> None:
    if documents:
        chunks = sum(row.chunks for row in documents)
        counts = label("documents_count", language, documents=len(documents), chunks=chunks)
        with st.sidebar:
            st.subheader(label("documents", language))
            st.html(view.text_html(counts, "meta") + view.documents_html(documents, language))


def _say_no_index(settings: Settings, *, missing: bool, language: str) -> None:
    key = "no_index" if missing else "empty_index"
    st.html(view.notice_html(label(key, language, index=shown(settings.place)), "warn"))
    st.html(view.text_html(label("run_this", language)))
    st.code(f"ingest PATH --index {shlex.quote(shown(settings.place))}", language="shell")


def _show_question(turn: Turn) -> None:
    with st.chat_message("user", avatar=":material/person:"):
        st.html(view.text_html(turn.question))


def _answer(engine: Engine, turn: Turn, how: _How, before: Sequence[Turn], *, language: str) -> None:
    """Stream the draft into the page, then put the checked answer in its place."""
    slot = st.empty()
    slot.html(view.text_html(label("searching", language), "meta"))
    try:
        stream = engine.ask(
            turn.question,
            variant=how.variant,
            technique=how.technique,
            top_k=how.top_k,
            where=how.where,
            caller=how.caller,
            samples=how.samples if how.samples > 1 else None,
            before=before,
        )
        with closing(stream) as events:
            for event in events:
                if event.type == "token":
                    turn.draft += event.text
                    slot.html(
                        view.text_html(turn.draft, "draft") + view.text_html(label("draft", language), "meta")
                    )
                elif event.type == "answer":
                    turn.answer = event.answer
    except TekioError as error:
        turn.error = describe(error)
    except Exception as error:
        log.exception("a question failed")
        turn.error = describe(error)
    slot.empty()
    _show_outcome(turn, language)


def _show_outcome(turn: Turn, language: str) -> None:
    answer = turn.answer
    if turn.error:
        st.html(view.notice_html(f"{label('failed', language)}: {turn.error}", "error"))
    elif answer is None:
        draft = view.text_html(turn.draft, "draft") if turn.draft else ""
        st.html(draft + view.notice_html(label("stopped", language), "warn"))
    else:
        sources = (
            view.nearest_html(answer, language) if answer.refused else view.sources_html(answer, language)
        )
        if answer.reasoning:
            with st.expander(label("reasoning", language)):
                st.html(view.text_html(answer.reasoning))
        st.html(
            memory.understood_html(answer, language)
            + view.answer_html(answer)
            + view.unsupported_html(answer, language)
            + view.notices_html(answer, language)
            + memory.memories_html(answer, language)
            + sources
            + view.functions_html(answer, language)
            + view.meta_html(answer, language, blind=turn.blind)
        )


def main() -> None:
    """Draw the page; whatever goes wrong is one line on it, and the log has the rest."""
    quiet_libraries()
    try:
        page()
    except TekioError as error:
        st.html(STYLE + view.notice_html(describe(error), "error"))
    except Exception as error:
        log.exception("the page failed")
        st.html(STYLE + view.notice_html(describe(error), "error"))


if __name__ == "__main__":
    main()
