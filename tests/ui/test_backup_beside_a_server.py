"""`tekio backup` of everything beside a server that takes in more all the while, put back elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from evaluation.benchmarks.own_server import ROOT, Server
from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings
from tests.ui.sending import Sender, answers, until
from tests.ui.serving import own_settings, served
from ui.jobs.jobs import environment_of

ENOUGH = 3
"""Of each kind, acknowledged before the backup begins."""
QUESTION = "How hot is the kiln 0 fired?"


def command(folder: Path, settings: Settings, *words: str) -> dict[str, Any]:
    """Run a command of `tekio` in a folder; return what it prints as JSON."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment_of(settings)}
    words = (sys.executable, "-m", "ui.cli", *words, "--json")
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_what_was_acknowledged_before_a_backup_began_is_in_it(
    tmp_path: Path, model_store: ModelStore
) -> None:
    (here := tmp_path / "here").mkdir()
    (there := tmp_path / "there").mkdir()
    own, other = own_settings(here, model_store), own_settings(there, model_store)
    with (
        Server(here / "index", environment_of(own), folder=here) as server,
        httpx.Client(base_url=server.address, timeout=180) as http,
    ):
        until(lambda: answers(server))

        def upload(number: int) -> httpx.Response:
            text = f"# Kiln {number}\n\nThe kiln {number} is fired at {1000 + number} degrees.\n"
            return http.post("/v1/documents", files={"files": (f"kiln-{number}.md", text.encode())})

        first = upload(0)
        answer = http.post("/v1/ask", json={"question": QUESTION}).json()

        def remember(number: int) -> httpx.Response:
            return http.post("/v1/memory", json={"text": f"The spare key no. {number} is red."})

        def rate(number: int) -> httpx.Response:
            body = {"answer": answer, "rating": "down", "comment": f"No. {number}"}
            return http.post("/v1/feedback", json=body)

        def converse(number: int) -> httpx.Response:
            return http.post(
                "/v1/ask", json={"question": f"Is it {number} degrees?", "conversation": "kilns"}
            )

        senders = [Sender(send) for send in (upload, remember, rate, converse)]
        until(lambda: min(len(each.acknowledged) for each in senders) >= ENOUGH)
        uploads, memories, feedback, turns = ([*each.acknowledged] for each in senders)
        made = command(here, own, "backup", str(tmp_path / "all.tekio"))
        until(lambda: all(len(each.acknowledged) > ENOUGH for each in senders))
    for sender in senders:
        sender.join(60)
    assert made["documents"] > len(uploads)

    restored = command(there, other, "restore", str(tmp_path / "all.tekio"))
    assert restored["documents"] == made["documents"]
    with served(Tekio, other) as base, httpx.Client(base_url=base, timeout=180) as http:
        for number, sent in [(0, first.json()), *uploads]:
            one = f"/v1/documents/{sent['files'][0]['id']}"
            assert f"at {1000 + number} degrees" in http.get(f"{one}/original").text
            assert f"at {1000 + number} degrees" in http.get(f"{one}/passages").text
        kept = {row["id"]: row["text"] for row in http.get("/v1/memory").json()["memories"]}
        assert kept.items() >= {sent["id"]: sent["text"] for _, sent in memories}.items()
        said = http.get("/v1/conversations/kilns").json()["said"]
        asked = [turn["question"] for turn in said]
        assert asked[: len(turns)] == [f"Is it {number} degrees?" for number, _ in turns]
        assert all(turn["answer"] for turn in said)
        assert http.post("/v1/ask", json={"question": QUESTION}).json()["citations"]
    with closing(Tekio(other)) as tekio:
        rated = {row.id: row.data["comment"] for row in tekio.memory.feedback()}
    assert rated.items() >= {sent["id"]: f"No. {number}" for number, sent in feedback}.items()
