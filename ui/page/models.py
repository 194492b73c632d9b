"""What there is to answer with, and what it costs: the models at hand, and the ways to build a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

import psutil
import streamlit as st

from kernel.embedders import embedder_source
from kernel.model_store import ModelStore
from kernel.settings import Settings
from kernel.techniques import Technique
from retrieval.errors import TekioError
from ui import chat_view as view
from ui.page.here import Here
from ui.plaintext import one_line

_MEASURED = {"multilingual-e5-small": 500, "reading": 200}
"""Megabytes of memory of a model in use, as the README gives them."""
_READER = "span-reader-*/config.json"


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model that the settings name. `disk` is in bytes, None where it is not here; `memory` is in megabytes."""

    setting: str
    name: str
    disk: int | None
    memory: int | None


def show_models(here: Here) -> None:
    """Draw both lists, closed."""
    with st.expander(here.say("models_at_hand"), icon=":material/deployed_code:"):
        store = ModelStore(here.settings.cache, offline=True)
        st.html(models_html(here, model_rows(here.settings, store)))
    with st.expander(here.say("technique_costs"), icon=":material/short_text:"):
        st.html(techniques_html(here, here.engine.techniques()))


def model_rows(settings: Settings, store: ModelStore) -> list[ModelRow]:
    """Return the models of this machine that the settings name; nobody is asked, and nothing is fetched."""
    rows = [_row(setting, name, store) for setting, name in _named(settings) if name]
    if settings.reading and settings.reading_model:
        own = Path(settings.reading_model).expanduser()
        rows.append(ModelRow("reading", own.name, _size(own) if own.is_dir() else None, None))
    elif settings.reading and (found := sorted(store.cache.glob(_READER))):
        folder = found[-1].parent  # another's has what engines made of it here, and no weights
        rows.append(ModelRow("reading", folder.name, _size(folder), _MEASURED["reading"]))
    return rows


def models_html(here: Here, rows: Iterable[ModelRow]) -> str:
    """Return the models as a table, and what this process takes now."""
    head = "".join(
        f"<th>{escape(here.say(name))}</th>"
        for name in ("model_of", "model_name", "model_disk", "model_memory")
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(cell)}</td>"
            for cell in (
                row.setting,
                one_line(row.name),
                here.say("model_not_here") if row.disk is None else f"{row.disk / 1e6:,.0f} MB",
                "" if row.memory is None else here.say("model_about", mb=row.memory),
            )
        )
        + "</tr>"
        for row in rows
    )
    taken = psutil.Process().memory_info().rss / 1e6
    table = f'<table class="tk-table"><tr>{head}</tr>{body}</table>'
    return view.wide_html(table, here.say("models_at_hand")) + view.text_html(
        here.say("process_memory", mb=f"{taken:,.0f}"), "meta"
    )


def techniques_html(here: Here, names: Iterable[str]) -> str:
    """Return the techniques, each with what it costs."""
    parts = []
    for name in names:
        said = here.say(f"takes_{name}" if name in list(Technique) else "takes_own_prompt")
        parts.append(
            f'<div class="tk-setting"><div><b>{escape(view.technique_name(name, here.language))}</b></div>'
            f'<div class="tk-cost">{escape(said)}</div></div>'
        )
    return "".join(parts)


def _named(settings: Settings) -> Iterator[tuple[str, str]]:
    yield "embedder", embedder_source(settings)
    yield from (
        (name, str(getattr(settings, name))) for name in ("generator", "draft", "reranker", "entailment")
    )
    for name, told in settings.variants.items():
        if told.engine != "openai":  # a server's model is not on this machine
            yield f"variants.{name}", told.model


def _row(setting: str, name: str, store: ModelStore) -> ModelRow:
    path = Path(name).expanduser()
    if path.is_file():  # of llama.cpp
        return ModelRow(setting, path.name, path.stat().st_size, None)
    try:
        disk = _size(store.resolve(name).folder) if store.is_present(name) else None
    except (TekioError, OSError):
        disk = None
    return ModelRow(setting, path.name if path.is_dir() else name, disk, _MEASURED.get(name))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
