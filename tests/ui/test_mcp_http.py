"""MCP over HTTP: the official client against the real facade, with keys."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from kernel.answer import Answer
from kernel.api_keys import KeyStore
from kernel.app import Tekio
from kernel.conversations import Conversations
from kernel.model_store import ModelStore
from kernel.settings import load_settings
from retrieval.access import caller
from retrieval.errors import UsageError
from tests.ui.serving import served
from tests.ui.test_access import made, settle
from ui.rest import create_app


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, model_store: ModelStore
) -> Iterator[tuple[str, dict[str, str], Path]]:
    """A server over documents that not everyone may read, keys, and the audit log."""
    folder = tmp_path_factory.mktemp("mcp")
    with ExitStack() as stack:
        with (
            pytest.MonkeyPatch.context() as patch
        ):  # of the other tests' settings it must leave nothing behind
            settle(patch, folder, model_store)
            patch.delenv("TEKIO_USER_HEADER")
            patch.delenv("TEKIO_GROUPS_HEADER")
            patch.setenv("TEKIO_MEMORY", str(folder / "memory"))
            patch.setenv("TEKIO_AUDIT_LOG", str(folder / "audit.jsonl"))
            made(folder)
            store = KeyStore(load_settings().memory_place)
            texts = {
                "mori": store.create("mori", "read", user="mori")[1],
                "sato": store.create("sato", "read", user="sato", per_minute=5)[1],
            }
            base = stack.enter_context(served(Tekio))
        yield base, texts, folder / "audit.jsonl"


@asynccontextmanager
async def session_of(base: str, key: str) -> AsyncIterator[ClientSession]:
    async with (
        httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http,
        streamable_http_client(f"{base}/mcp", http_client=http) as (received, sent, _),
        ClientSession(received, sent) as session,
    ):
        await session.initialize()
        yield session


def read(result: Any) -> Any:
    assert not result.isError, result.content
    return result.structuredContent


async def test_a_client_searches_asks_and_reads_with_the_rights_of_its_key(
    guarded: tuple[str, dict[str, str], Path],
) -> None:
    base, texts, audit = guarded
    async with session_of(base, texts["mori"]) as session:
        assert [tool.name for tool in (await session.list_tools()).tools] == [
            "search",
            "ask",
            "documents",
            "read",
        ]
        found = read(await session.call_tool("search", {"query": "kiln pay", "top_k": 50}))
        assert {each["document"] for each in found["passages"]} == {"kiln.md", "pay.md"}
        answer = read(await session.call_tool("ask", {"question": "What is the pay of the kiln workers?"}))
        assert "310,000" in answer["answer"]
        part = read(await session.call_tool("read", {"document": "pay.md", "start": 0, "characters": 3}))
        assert part["text"] == "Pay"
        refused = await session.call_tool("read", {"document": "釉薬.md"})
        assert refused.isError
    lines = [json.loads(line) for line in audit.read_text("utf-8").splitlines()]
    shown = {document for line in lines for document in line.get("documents", ())}
    assert {"kiln.md", "pay.md"} <= shown
    assert {line["path"] for line in lines} == {"/mcp"}
    assert all(line["user"] == "mori" for line in lines)


async def test_another_key_finds_other_documents_and_may_ask_as_often_as_it_may(
    guarded: tuple[str, dict[str, str], Path],
) -> None:
    base, texts, _ = guarded
    async with session_of(base, texts["sato"]) as session:
        refused = await session.call_tool("read", {"document": "pay.md"})
        assert refused.isError
        assert "310,000" not in str(refused.content)
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {texts['mori']}"}) as http:
        assert (await http.get(f"{base}/mcp")).status_code == 405, "as clients expect that want to listen"
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {texts['sato']}"}) as http:
        assert 429 in {(await http.post(f"{base}/mcp", json={})).status_code for _ in range(6)}


@pytest.mark.parametrize("key", ["", "tekio_00000000_x", "sk-none"])
async def test_without_a_key_that_holds_nothing_is_told_to_a_client(
    guarded: tuple[str, dict[str, str], Path], key: str
) -> None:
    base, _, _ = guarded
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    async with httpx.AsyncClient(headers=headers) as http:
        response = await http.post(f"{base}/mcp", json=body)
        assert response.status_code == 401
        assert "search" not in response.text
        assert (await http.get(f"{base}/mcp")).status_code == 401


def test_a_function_that_is_not_there_is_told_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEKIO_MCP_FUNCTIONS", '["serach"]')
    with pytest.raises(UsageError, match="serach"):
        create_app(Tekio(load_settings()))
    monkeypatch.setenv("TEKIO_MCP_FUNCTIONS", "[]")
    assert "/mcp" not in {getattr(route, "path", "") for route in create_app(Tekio(load_settings())).routes}


def test_what_is_written_down_as_shown_was_shown(guarded: tuple[str, dict[str, str], Path]) -> None:
    base, texts, audit = guarded

    def written() -> list[dict[str, Any]]:
        return [json.loads(line) for line in audit.read_text("utf-8").splitlines()]

    before = len(written())
    with httpx.Client(
        base_url=base, headers={"Authorization": f"Bearer {texts['mori']}"}, timeout=60
    ) as http:
        for document in ("pay.md", "釉薬.md"):
            http.post("/v1/summarize", json={"document": document, "variant": "extractive"})
            both = {"first": "kiln.md", "second": document, "variant": "extractive"}
            http.post("/v1/compare", json=both)
        answer = http.post("/v1/ask", json={"question": "What is the pay of the kiln workers?"}).json()
        memory = audit.parent / "memory"
        Conversations(memory, memory).keep("talk", Answer.model_validate(answer), caller=caller("mori"))
        for ending in ("", "/export", "/../nothing"):
            http.get(f"/v1/conversations/talk{ending}")
    found = [(line["path"], line["status"], line.get("documents", [])) for line in written()[before:]]
    quoted = [passage["document"] for passage in answer["passages"]]
    assert found == [
        ("/v1/summarize", 200, ["pay.md"]),
        ("/v1/compare", 200, ["kiln.md", "pay.md"]),
        ("/v1/summarize", 422, []),
        ("/v1/compare", 422, []),
        ("/v1/ask", 200, quoted),
        ("/v1/conversations/talk", 200, quoted),
        ("/v1/conversations/talk/export", 200, quoted),
        ("/v1/conversations/nothing", 404, []),
    ]
