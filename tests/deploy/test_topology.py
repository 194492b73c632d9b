"""Several API processes over one PostgreSQL, as deploy/ sets them up, without containers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from evaluation.benchmarks.own_server import ROOT, Server

SETTINGS = {
    "TEKIO_VARIANT": "extractive",
    "TEKIO_READING": "false",
    "TEKIO_USER_HEADER": "X-Forwarded-User",
}
AKI = {"X-Forwarded-User": "aki"}


@pytest.fixture(scope="module")
def address(postgresql: str) -> str:
    return f"{postgresql}&schema=t{uuid.uuid4().hex[:12]}"


def ingest(address: str, file: Path, name: str, text: str) -> None:
    """Take a document in by the command, as another process than those that answer."""
    path = file / f"{name}.md"
    path.write_text(f"# {name}\n\n{text}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "ui.cli", "ingest", str(path), "--index", address, "--no-prune"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=file,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def pair(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Two servers over an index of one page, each in an empty folder of its own."""
    ingest(
        address, tmp_path_factory.mktemp("pages"), "Kilns", "The porcelain kiln is fired at 1,240 degrees."
    )
    with Server(address, SETTINGS) as one, Server(address, SETTINGS) as other:
        one.wait_until_ready()
        other.wait_until_ready()
        yield one, other


def ask(server: Server, question: str) -> dict[str, Any]:
    body = {"question": question, "cache": False}
    response = httpx.post(f"{server.address}/v1/ask", json=body, headers=AKI, timeout=120)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_both_give_the_same_answer(pair: tuple[Server, Server]) -> None:
    answers = [ask(server, "How hot is the porcelain kiln fired?") for server in pair]
    assert "1,240 degrees" in answers[0]["answer"]
    assert answers[0]["answer"] == answers[1]["answer"]
    assert answers[0]["citations"] == answers[1]["citations"]


def test_what_one_remembers_the_other_recalls(pair: tuple[Server, Server]) -> None:
    one, other = pair
    fact = "The kiln in the east hall is called Momiji."
    for server in pair:  # both have looked, and seen that there is no memory yet
        assert httpx.get(f"{server.address}/v1/memory", headers=AKI).json() == {"memories": []}
    kept = httpx.post(f"{one.address}/v1/memory", json={"text": fact}, headers=AKI, timeout=60)
    assert kept.status_code == 200, kept.text
    end = time.monotonic() + 10
    while not (rows := httpx.get(f"{other.address}/v1/memory", headers=AKI).json()["memories"]):
        assert time.monotonic() < end
        time.sleep(0.2)
    assert [row["text"] for row in rows] == [fact]
    recalled = ask(other, "What is the kiln in the east hall called?")["memories"]
    assert [memory["text"] for memory in recalled] == [fact]
    for nobody in ({}, {"X-Forwarded-User": "ben"}):
        assert httpx.get(f"{other.address}/v1/memory", headers=nobody).json()["memories"] == []
    answer = ask(one, "How hot is the porcelain kiln fired?")
    rated = {"answer": answer, "rating": "down", "comment": "too short"}
    numbers = [
        httpx.post(f"{server.address}/v1/feedback", json=rated, headers=AKI, timeout=60).json()["id"]
        for server in pair
    ]
    assert numbers == [1, 2]  # one table


def test_a_document_that_comes_in_is_found_by_both_without_a_restart(
    pair: tuple[Server, Server], address: str, tmp_path: Path
) -> None:
    ingest(address, tmp_path, "Glaze", "The celadon glaze is stirred for 20 minutes before use.")
    for server in pair:
        assert "20 minutes" in ask(server, "How long is the celadon glaze stirred?")["answer"]


def test_one_goes_on_when_the_other_is_killed(pair: tuple[Server, Server]) -> None:
    one, other = pair
    one.kill()
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"{one.address}/healthz", timeout=5)
    assert "1,240 degrees" in ask(other, "How hot is the porcelain kiln fired?")["answer"]
    assert httpx.get(f"{other.address}/readyz").status_code == 200
