"""A whole Tekio whose index stands in a server, chosen by the settings."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest

from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings, load_settings
from plugins.memory.store import Recalled
from retrieval.access import access, caller
from retrieval.errors import TekioError, UsageError
from retrieval.stores.opening import open_database

TEXTS = {
    "kiln.md": "# Kiln K2\n\nThe kiln K2 is fired at 1,240 °C for nine hours.\n",
    "保管.md": "# 釉薬の保管\n\n釉薬G-7は5℃から25℃の棚Cに保管する。\n",
}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    root = tmp_path / "corpus"
    root.mkdir()
    for name, text in TEXTS.items():
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_documents_in_a_server_are_ingested_asked_shared_and_taken_out(
    corpus: Path, tmp_path: Path, model_store: ModelStore, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    address = f"{postgresql}&schema=t{uuid.uuid4().hex[:12]}"
    settings = Settings(store=address, cache=model_store.cache, variant="extractive")
    app = Tekio(settings)
    assert app.ingest([corpus]).added == 2
    assert app.ingest([corpus]).unchanged == 2
    answer = asyncio.run(app.ask("釉薬G-7は何度で保管しますか。"))
    assert "5℃から25℃" in answer.answer
    (citation, *_) = answer.citations
    passage = answer.passages[citation.marker - 1]
    assert app.quote(passage.id, citation.start, citation.end) == citation.quote
    app.share(["kiln.md"], access("mori", []))
    found = asyncio.run(app.search("kiln", caller=caller("sato")))
    assert [item.document for item in found] == ["保管.md"]
    (corpus / "kiln.md").unlink()
    assert app.ingest([corpus]).removed == 1
    assert [row.document for row in app.documents()] == ["保管.md"]
    app.close()
    assert not (tmp_path / ".tekio").exists()


def test_memories_stand_beside_an_index_in_a_server_and_are_saved_while_it_is_written(
    corpus: Path, model_store: ModelStore, postgresql: str
) -> None:
    from kernel.engine.engine import Engine

    address = f"{postgresql}&schema=t{uuid.uuid4().hex[:12]}"
    settings = Settings(store=address, cache=model_store.cache)
    app = Tekio(settings)
    app.ingest([corpus])
    engine = app._start()
    assert isinstance(engine, Engine)
    plugin = engine.flow(caller("mori"))._means.kernel.plugins["memory"]

    async def remember() -> list[Recalled]:
        await plugin["save"].invoke(engine.kernel, text="I work at kiln K2.")
        recalled = await plugin["recall"].invoke(engine.kernel, query="At which kiln do I work?")
        assert recalled is not None
        return list(recalled.value)

    with open_database(address, create=False).writer():  # an ingest of another process
        memories = asyncio.run(remember())
    assert [item.memory.text for item in memories] == ["I work at kiln K2."]
    assert app.memory.listed() == app.memory.listed(caller("sato")) == []
    (held,) = app.memory.listed(caller("mori"))
    assert app.memory.edit(held.id, expires="2999-01-01", caller=caller("mori")).expires[:4] == "2999"
    assert app.memory.confirm(held.id, caller=caller("mori")).confirmed == 1
    assert app.memory.delete([held.id], caller=caller("mori")) == 1
    app.close()


def test_a_folder_that_is_named_wins_over_a_server_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEKIO_STORE", "postgresql://u:secret@h/db")
    assert load_settings().place == "postgresql://u:secret@h/db"
    assert load_settings().memory_place == "postgresql://u:secret@h/db?schema=tekio_memory"
    assert load_settings(index=Path("mine")).place == Path("mine")
    assert load_settings(index="qdrant://h/x").memory_place == "qdrant://h/x_memory"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TEKIO_STORE", "a/folder", "a folder belongs into index"),
        ("TEKIO_INDEX", "postgresql://h/db", "an address belongs into the setting store"),
    ],
)
def test_an_address_in_the_place_of_a_folder_is_told(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=said):
        load_settings()


def test_a_server_that_is_not_there_is_one_line_before_a_model_is_fetched(
    corpus: Path, tmp_path: Path
) -> None:
    app = Tekio(Settings(store="postgresql://u:secret@127.0.0.1:1/db", cache=tmp_path / "none"))
    with pytest.raises(TekioError, match="cannot open postgresql://u@127") as caught:
        app.ingest([corpus])
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "none").exists()
