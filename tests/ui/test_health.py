"""Whether a server lives and whether it is ready, over real HTTP."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.testclient import TestClient

from evaluation.benchmarks.own_server import Server
from kernel.app import Tekio
from kernel.settings import load_settings
from retrieval.errors import TekioError
from retrieval.records import DocumentSummary
from tests.ui.serving import served
from ui.rest import create_app

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

NOTE = "# Kilns\n\nThe porcelain kiln is fired at 1,240 degrees for 9 hours.\n"


@pytest.fixture
def loading(scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Hold the models back until the event is set."""
    done = threading.Event()

    async def slow(_self: ScriptedTekio) -> None:
        await asyncio.to_thread(done.wait)

    monkeypatch.setattr(scripted, "warm_up", slow)
    yield done
    done.set()


def test_a_server_is_ready_when_its_models_are_loaded(
    scripted: type[ScriptedTekio], loading: threading.Event
) -> None:
    with served(scripted) as base:
        waiting = httpx.get(f"{base}/readyz")
        assert (waiting.status_code, waiting.headers["retry-after"]) == (503, "5")
        assert waiting.json() == {"ready": False, "missing": ["models"], "message": ""}
        assert httpx.get(f"{base}/healthz").status_code == 200
        loading.set()
        assert _ready(base).json() == {"ready": True, "missing": [], "message": ""}


def test_a_server_without_an_index_lives_and_is_ready_when_there_is_one(
    scripted: type[ScriptedTekio],
) -> None:
    scripted.has_index = False
    with served(scripted) as base:
        response = httpx.get(f"{base}/readyz")
        assert (response.status_code, response.json()["missing"]) == (503, ["index"])
        assert httpx.get(f"{base}/healthz").json()["status"] == "no_index"
        scripted.has_index = True
        assert _ready(base).status_code == 200


def test_models_that_did_not_load_are_tried_again_by_who_asks_whether_it_is_ready(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[int] = []

    async def failing_once(_self: ScriptedTekio) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise TekioError("the model is missing: fetch it")

    monkeypatch.setattr(scripted, "warm_up", failing_once)
    with served(scripted) as base:
        first = httpx.get(f"{base}/readyz")
        assert first.status_code == 503
        assert first.json()["message"] == "the model is missing: fetch it"
        assert _ready(base).status_code == 200
    assert len(attempts) == 2


def test_a_server_whose_index_cannot_be_reached_lives_and_is_not_ready(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_self: ScriptedTekio, **_: object) -> None:
        raise TekioError("the PostgreSQL at db does not answer")

    with served(scripted) as base:
        assert _ready(base).status_code == 200
        monkeypatch.setattr(scripted, "index_state", away)
        monkeypatch.setattr(scripted, "documents", away)
        response = httpx.get(f"{base}/readyz")
        assert (response.status_code, response.json()["missing"]) == (503, ["index"])
        assert "does not answer" in response.json()["message"]
        health = httpx.get(f"{base}/healthz")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")


def test_whoever_is_not_of_this_machine_is_not_told_where_that_fails_which_is_logged(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_self: ScriptedTekio, **_: object) -> None:
        raise TekioError("the PostgreSQL at db does not answer")

    monkeypatch.setattr(scripted, "index_state", away)
    application = create_app(scripted(load_settings()), exposed=True)
    with TestClient(application, base_url="http://localhost") as http:
        response = http.get("/readyz")
    assert (response.status_code, response.json()["missing"][0]) == (503, "index")
    assert "PostgreSQL" not in response.text
    assert "the log of the server says what" in response.json()["message"]
    assert "the PostgreSQL at db does not answer" in caplog.text


def test_documents_are_counted_again_only_when_the_index_has_changed(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch
) -> None:
    state, listed, rows = [("index", 1)], [], scripted.documents

    def documents(self: ScriptedTekio, **_: object) -> list[DocumentSummary]:
        listed.append(1)
        return rows(self)

    monkeypatch.setattr(scripted, "index_state", lambda _self: state[0])
    monkeypatch.setattr(scripted, "documents", documents)
    with served(scripted) as base:
        for generation in (1, 1, 2):
            state[0] = ("index", generation)
            assert httpx.get(f"{base}/healthz").json()["counts"] == {"documents": 1, "chunks": 12}
    assert len(listed) == 2


def test_a_real_server_is_ready_by_itself_and_then_answers_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    (tmp_path / "kilns.md").write_text(NOTE, encoding="utf-8")
    settings = load_settings(index=str(folder), variant="extractive", reading=False)
    tekio = Tekio(settings)
    try:
        tekio.ingest([tmp_path / "kilns.md"])
    finally:
        tekio.close()
    with Server(folder, {"TEKIO_VARIANT": "extractive", "TEKIO_READING": "false"}) as server:
        server.wait_until_ready()
        began = time.monotonic()
        answer = httpx.post(
            f"{server.address}/v1/ask", json={"question": "How hot is the porcelain kiln?"}, timeout=60
        ).json()
        assert time.monotonic() - began < 20
        assert "1,240 degrees" in answer["answer"]


def test_what_is_loaded_is_told_part_by_part(tmp_path: Path) -> None:
    (tmp_path / "kilns.md").write_text(NOTE, encoding="utf-8")
    tekio = Tekio(load_settings(index=str(tmp_path / "index"), variant="extractive", reading=False))
    try:
        assert tekio.index_state() is None
        tekio.ingest([tmp_path / "kilns.md"])
        assert tekio.index_state() == tekio.index_state() is not None
        assert tekio.not_loaded() == ["models"]
        asyncio.run(tekio.warm_up())
        assert tekio.not_loaded() == []
        engine = tekio._engine
        assert engine is not None
        assert engine.warm_up.not_loaded("base") == ["variant base"]
        assert not engine.variants._local.is_found  # nobody asks for it
    finally:
        tekio.close()


def _ready(base: str) -> httpx.Response:
    end = time.monotonic() + 60
    while True:
        response = httpx.get(f"{base}/readyz")
        if response.status_code == 200 or time.monotonic() > end:
            return response
        time.sleep(0.02)
