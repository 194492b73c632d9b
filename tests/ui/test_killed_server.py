"""What was acknowledged is there after the processes that took it in were killed in the middle of more."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from evaluation.benchmarks.own_server import ROOT, Server
from kernel.app import Tekio
from kernel.model_store import ModelStore
from tests.ui.sending import Sender, answers, until
from tests.ui.serving import own_settings
from ui.jobs.jobs import environment_of

ENOUGH = 2
"""Of each kind, acknowledged before the kill."""
PAGE = """
import sys
import time

from kernel.answer import Answer
from kernel.app import Tekio
from kernel.settings import load_settings

answer, tekio, number = Answer.model_validate_json(sys.argv[1]), Tekio(load_settings()), 0
while True:  # as the page keeps the turns of a talk
    number += 1
    tekio.conversations.keep("talk", answer.model_copy(update={"question": f"Question {number}?"}))
    print(number, flush=True)
    time.sleep(0.2)  # the server shows the last thousand turns only
"""


@pytest.fixture
def environment(tmp_path: Path, model_store: ModelStore) -> dict[str, str]:
    return environment_of(own_settings(tmp_path, model_store))


def test_a_kill_loses_no_document_conversation_memory_or_feedback_that_was_acknowledged(
    tmp_path: Path, model_store: ModelStore, environment: dict[str, str]
) -> None:
    with (
        Server(tmp_path / "index", environment, folder=tmp_path) as server,
        httpx.Client(timeout=120) as http,
    ):
        until(lambda: answers(server))

        def upload(number: int) -> httpx.Response:
            text = f"# Kiln {number}\n\nThe kiln {number} is fired at {1000 + number} degrees.\n"
            files = {"files": (f"kiln-{number}.md", text.encode())}
            return http.post(f"{server.address}/v1/documents", files=files)

        first = upload(0).json()["files"][0]["id"]
        answer = http.post(
            f"{server.address}/v1/ask", json={"question": "How hot is the kiln 0 fired?"}
        ).json()
        assert answer["citations"]

        def rate(number: int) -> httpx.Response:
            body = {"answer": answer, "rating": "down", "comment": f"No. {number}"}
            return http.post(f"{server.address}/v1/feedback", json=body)

        def remember(number: int) -> httpx.Response:
            return http.post(
                f"{server.address}/v1/memory", json={"text": f"The spare key no. {number} is red."}
            )

        senders = [Sender(send) for send in (upload, rate, remember)]
        text = httpx.Response(200, json=answer).text
        with page(tmp_path, environment, text) as (process, turns):
            until(lambda: min(len(turns), *(len(each.acknowledged) for each in senders)) >= ENOUGH)
            server.kill()
            process.kill()
    for sender in senders:
        sender.join(30)
    uploads, feedback, memories = (each.acknowledged for each in senders)
    with Server(tmp_path / "index", environment, folder=tmp_path) as server:
        server.wait_until_ready()
        with httpx.Client(base_url=server.address, timeout=120) as http:
            for number, made in [(0, {"files": [{"id": first}]}), *uploads]:
                one = f"/v1/documents/{made['files'][0]['id']}"
                assert f"at {1000 + number} degrees" in http.get(f"{one}/original").text
                assert f"at {1000 + number} degrees" in http.get(f"{one}/passages").text
            said = http.get("/v1/conversations/talk").json()["said"]
            assert [turn["question"] for turn in said][: len(turns)] == [f"Question {n}?" for n in turns]
            assert all(turn["answer"] for turn in said)
            kept = {row["id"]: row["text"] for row in http.get("/v1/memory").json()["memories"]}
            for _, memory in memories:
                assert kept[memory["id"]] == memory["text"]
    with closing(Tekio(own_settings(tmp_path, model_store))) as tekio:
        rated = {row.id: row.data["comment"] for row in tekio.memory.feedback()}
    for number, given in feedback:
        assert rated[given["id"]] == f"No. {number}"


class page:  # noqa: N801 - used as a context
    """A process that keeps turns, and the numbers of those that it has kept."""

    def __init__(self, folder: Path, environment: dict[str, str], answer: str) -> None:
        self._command = [sys.executable, "-c", PAGE, answer]
        self._folder, self._environment = folder, environment

    def __enter__(self) -> tuple[subprocess.Popen[str], list[int]]:
        turns: list[int] = []
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env={**self._environment, "PYTHONPATH": str(ROOT), "PATH": ""},
            stdout=subprocess.PIPE,
            text=True,
        )
        stdout = self._process.stdout
        assert stdout is not None
        self._reading = threading.Thread(target=lambda: turns.extend(_numbers(stdout)), daemon=True)
        self._reading.start()
        return self._process, turns

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(20)
        self._reading.join(20)


def _numbers(lines: Iterator[str]) -> Iterator[int]:
    return (int(line) for line in lines if line.endswith("\n"))
