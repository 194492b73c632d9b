"""`tekio functions`, `tekio serve --mcp` and what the ways in show of functions; the servers are real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from kernel.answer import FunctionCall
from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings, load_settings
from retrieval.errors import UsageError
from tests.plugins.external.conftest import MCP_SERVER
from tests.ui.conftest import make_answer
from ui.answer_text import function_line
from ui.chat_view import functions_html

ROOT = Path(__file__).parents[2]
TEKIO = [sys.executable, "-c", "from ui.cli import main; main()"]
TABLES = f"""
function_calling = "auto"
[[functions]]
name = "workshop"
mcp_command = [{json.dumps(sys.executable)}, {json.dumps(str(MCP_SERVER))}]
allow = ["stock", "gone"]
seconds = 20
[[functions]]
name = "asleep"
mcp_command = [{json.dumps(sys.executable)}, "-c", "import time; time.sleep(60)"]
allow = ["x"]
seconds = 1
"""


def run(folder: Path, *words: str, cache: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if cache is not None:
        environment["TEKIO_CACHE"] = str(cache)
    return subprocess.run(
        [*TEKIO, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_command_lists_what_can_be_called_and_exits_3_where_an_attachment_does_not_work(
    tmp_path: Path, model_store: ModelStore
) -> None:
    (tmp_path / "tekio.toml").write_text(TABLES, encoding="utf-8")
    done = run(tmp_path, "functions", "--json", cache=model_store.cache)
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)
    assert "calculator-calculate" in [each["name"] for each in report["own"]]
    workshop, asleep = report["attached"]
    assert [each["name"] for each in workshop["functions"]] == ["workshop-stock"]
    assert workshop["works"]
    assert workshop["missing"] == ["gone"]
    assert "unlisted" in workshop["not_allowed"]
    assert (asleep["works"], asleep["error"]) == (False, "no answer within 1 s")
    assert "takes no tools" in report["calling"]


def test_the_command_tells_a_person_in_lines(tmp_path: Path, model_store: ModelStore) -> None:
    done = run(tmp_path, "functions", cache=model_store.cache)
    assert done.returncode == 0, done.stderr
    assert "calculator-calculate\tTekio\t" in done.stdout
    assert "function calling is auto, off" in done.stderr


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('name = "x"\nopenapi = "a.json"\nmcp_url = "http://a"', "have one of openapi"),
        ('name = "x"', "not none"),
        ('name = "retrieval"\nopenapi = "a.json"', "of Tekio's own"),
        ('name = "x y"\nopenapi = "a.json"', "pattern"),
        ('name = "x"\nmcp_url = "http://user:secret@a/"', "without a user"),
        ('name = "x"\nmcp_url = "file:///etc/passwd"', "it is an address"),
        ('name = "x"\nopenapi = "a"\nallowed = ["y"]', "not permitted"),
    ],
)
def test_a_table_that_is_wrong_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tekio.toml").write_text(f"[[functions]]\n{table}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=said) as raised:
        load_settings()
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.fixture(scope="module")
def folder(model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index of two documents, one of which is Aoki's alone."""
    from retrieval.access import access

    folder = tmp_path_factory.mktemp("served")
    (folder / "kiln.md").write_text("# Kiln K2\n\nThe kiln K2 is fired at 1,240 °C.\n", encoding="utf-8")
    (folder / "pay.md").write_text("# Pay\n\nThe pay of Aoki is 4,711 euros.\n", encoding="utf-8")
    tekio = Tekio(Settings(index=folder / ".tekio/index", cache=model_store.cache))
    tekio.ingest([folder / "kiln.md"])
    tekio.ingest([folder / "pay.md"], access=access("aoki", []))
    tekio.close()
    return folder


@asynccontextmanager
async def client(folder: Path, cache: Path, *words: str, **settings: str) -> AsyncIterator[ClientSession]:
    """A real MCP client of a real process of `tekio serve --mcp`."""
    server = StdioServerParameters(
        command=TEKIO[0],
        args=[*TEKIO[1:], "serve", "--mcp", *words],
        cwd=str(folder),
        env={**os.environ, "PYTHONPATH": str(ROOT), "TEKIO_CACHE": str(cache), **settings},
    )
    async with stdio_client(server) as (received, sent), ClientSession(received, sent) as session:
        await session.initialize()
        yield session


def read(result: Any) -> Any:
    assert not result.isError, result.content
    assert json.loads(result.content[0].text) == result.structuredContent
    return result.structuredContent


async def test_a_client_finds_what_reads_documents_and_nothing_else(
    folder: Path, model_store: ModelStore
) -> None:
    async with client(folder, model_store.cache, TEKIO_VARIANT="extractive") as session:
        assert [each.name for each in (await session.list_tools()).tools] == [
            "search",
            "ask",
            "documents",
            "read",
        ]
        found = read(await session.call_tool("search", {"query": "kiln", "top_k": 1}))
        assert found["passages"][0]["document"] == "kiln.md"
        answer = read(
            await session.call_tool("ask", {"question": "At what temperature is the kiln K2 fired?"})
        )
        assert "1,240 °C" in answer["answer"]
        assert answer["citations"][0]["quote"]
        for name, arguments in (
            ("memory-recall", {"query": "x"}),
            ("search", {"query": ""}),
            ("search", {"query": "x", "top_k": 1000}),
            ("search", {"query": "x", "filter": "lambda x: True"}),
            ("ask", {"question": "x", "where": ["nonsense"]}),
            ("read", {"document": "nonesuch.md"}),
            ("read", {"document": "kiln.md", "start": -1}),
            ("read", {"document": "/etc/passwd"}),
            ("calculator-calculate", {"expression": "1"}),
        ):
            failed = await session.call_tool(name, arguments)
            assert failed.isError, name
            assert len(failed.content[0].text.splitlines()) >= 1  # type: ignore[union-attr]
        part = read(await session.call_tool("read", {"document": "kiln.md", "start": 5, "characters": 2}))
        assert (part["text"], part["start"], part["end"]) == ("K2", 5, 7)
        whole = read(await session.call_tool("read", {"document": "kiln.md"}))
        assert whole["characters"] == len(whole["text"]) == whole["end"]
        found = read(await session.call_tool("search", {"query": "kiln"}))
        assert len(found["passages"]) == 2, "it goes on after errors"


async def test_the_functions_are_those_of_the_settings_and_the_documents_those_of_the_caller(
    folder: Path, model_store: ModelStore
) -> None:
    chosen = {"TEKIO_MCP_FUNCTIONS": '["documents", "calculator", "search"]'}
    async with client(folder, model_store.cache, "--as", "tanaka", **chosen) as session:
        names = [each.name for each in (await session.list_tools()).tools]
        assert names == ["documents", "calculator-calculate", "search"]
        rows = read(await session.call_tool("documents", {}))["documents"]
        assert [row["document"] for row in rows] == ["kiln.md"]
        found = read(await session.call_tool("search", {"query": "pay of Aoki"}))
        assert "4,711" not in json.dumps(found)
        worked_out = await session.call_tool("calculator-calculate", {"expression": "0.1 + 0.2"})
        assert read(worked_out) == {"result": "0.3"}
        refused = await session.call_tool("calculator-calculate", {"expression": "9**9**9"})
        assert refused.isError


def test_a_function_that_is_not_there_is_told_before_anything_is_served(folder: Path) -> None:
    (folder / "wrong").mkdir(exist_ok=True)
    (folder / "wrong/tekio.toml").write_text('mcp_functions = ["serach"]\n', encoding="utf-8")
    done = run(folder / "wrong", "serve", "--mcp")
    assert done.returncode == 2
    assert "there is no function 'serach'" in done.stderr
    assert done.stdout == ""


def test_a_call_is_shown_as_text_whatever_a_server_sent() -> None:
    call = FunctionCall(
        name="shop-find",
        arguments={"words": "<b>x</b>"},
        result='<img src="http://evil.example/x.png">\nline \x1b[31m',
        ms=3.0,
    )
    failed = FunctionCall(name="shop-find", arguments={}, error="no answer within 1 s", ms=3.0)
    answer = make_answer().model_copy(update={"functions": [call, failed]})
    html = functions_html(answer, "en")
    assert "<img" not in html
    assert "<b>" not in html
    assert "Functions that were called" in html
    assert "\n" not in function_line(call)
    assert "✕ no answer within 1 s" in function_line(failed)
    assert functions_html(make_answer(), "ja") == ""
