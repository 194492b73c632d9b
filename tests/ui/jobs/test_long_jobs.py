"""A fine-tune and an evaluation over HTTP, as real jobs over a tiny base: followed to their end, and cancelled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings
from tests.adaptation.conftest import THINGS, make_base, make_embedder, write_documents
from tests.ui.serving import events_of, own_settings, served

Events = list[tuple[str, dict[str, Any]]]
_SECONDS = 900
"""A bound, for the slowest of machines."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, model_store: ModelStore) -> Settings:
    folder = tmp_path_factory.mktemp("long-jobs")
    settings = own_settings(
        folder,
        model_store,
        job_roots=[folder],
        embedder=str(make_embedder(folder / "embedder")),
        embedder_engine="torch",
        generator=str(make_base(model_store.resolve("SmolLM2-135M-Instruct").folder, folder / "base")),
        chunk_tokens=96,
        threads=1,
        reading="false",
        dtype="float32",
    )
    with closing(Tekio(settings)) as tekio:
        tekio.ingest([write_documents(folder / "documents")])
    return settings


@pytest.fixture(scope="module")
def http(settings: Settings) -> Iterator[httpx.Client]:
    with served(Tekio, settings) as base, httpx.Client(base_url=base, timeout=_SECONDS) as client:
        yield client


def started(http: httpx.Client, **body: object) -> str:
    made = http.post("/v1/jobs", json=body)
    assert made.status_code == 202, made.text
    return str(made.json()["id"])


def followed(http: httpx.Client, job_id: str) -> Events:
    return events_of(http.get(f"/v1/jobs/{job_id}/events"))


@pytest.fixture(scope="module")
def trained(http: httpx.Client) -> tuple[str, Events]:
    """A fine-tune that ended: its id, and its events."""
    job_id = started(
        http, kind="fine_tune", name="mine", made_up=30, rehearse=0, steps=6, rank=2, measure=2, seed=3
    )
    return job_id, followed(http, job_id)


def test_a_fine_tune_tells_its_loss_and_ends_as_a_variant(
    http: httpx.Client, trained: tuple[str, Events]
) -> None:
    job_id, events = trained
    assert events[-1][0] == "done"
    assert events[-1][1]["state"] == "succeeded", events[-5:]
    said = [data["message"] for name, data in events if name == "message"]
    assert [line for line in said if line.startswith("tekio ")] == [
        "tekio adapt dataset",
        "tekio adapt train",
    ]
    steps = [data for name, data in events if name == "progress" and "loss" in data]
    assert [data["done"] for data in steps] == [1, 2, 3, 4, 5, 6]
    assert any(data.get("loss") for data in steps)
    job = http.get(f"/v1/jobs/{job_id}").json()
    assert (job["state"], job["exit_code"], job["result"]["recipe"]["seed"]) == ("succeeded", 0, 3)
    assert "mine" in http.get("/v1/variants").json()["variants"]
    question = {"question": f"How often is the {THINGS[0]} inspected?", "variant": "mine", "cache": False}
    answer = http.post("/v1/ask", json=question).json()
    assert answer["usage"]["completion_tokens"] > 0, "it wrote, whether or not what it wrote was supported"


def test_a_fine_tune_that_is_cancelled_while_it_learns_leaves_no_adapter(
    http: httpx.Client, settings: Settings, trained: tuple[str, Events]
) -> None:
    data = f"jobs/{trained[0]}/set"
    job_id = started(http, kind="fine_tune", name="endless", data=data, steps=2000, measure=0)
    until = time.monotonic() + _SECONDS
    while (job := http.get(f"/v1/jobs/{job_id}").json())["progress"] is None:
        assert job["state"] == "running", job
        assert time.monotonic() < until
        time.sleep(0.1)
    cancelled = http.delete(f"/v1/jobs/{job_id}")
    assert cancelled.status_code == 200
    (name, last) = followed(http, job_id)[-1]
    assert (name, last["state"]) == ("done", "cancelled")
    job = http.get(f"/v1/jobs/{job_id}").json()
    assert (job["state"], job["ended_at"] is not None, job["result"]) == ("cancelled", True, None)
    assert sorted(each.name for each in settings.adapters.glob("[!.]*")) == ["mine"]
    assert "endless" not in http.get("/v1/variants").json()["variants"]
    assert http.delete(f"/v1/jobs/{job_id}").json()["state"] == "cancelled"


def test_an_evaluation_counts_its_answers_and_ends_with_figures(http: httpx.Client) -> None:
    rows = [
        {
            "id": f"q{number}",
            "language": "en",
            "question": f"How often is the {THINGS[number]} inspected, number {number + 2}?",
            "answer": f"every {number + 3} weeks",
            "document": f"doc-{number:02}.md",
            "answerable": True,
        }
        for number in range(4)
    ]
    job_id = started(http, kind="evaluation", rows=rows, variants=["extractive"], techniques=["zero_shot"])
    events = followed(http, job_id)
    assert (events[-1][0], events[-1][1]["state"]) == ("done", "succeeded"), events[-5:]
    counted = [data for name, data in events if name == "progress"]
    assert counted
    assert (counted[-1]["done"], counted[-1]["total"]) == (4, 4)
    (run,) = http.get(f"/v1/jobs/{job_id}").json()["result"]["runs"]
    assert run["figures"]
    listed = http.get("/v1/jobs").json()["jobs"]
    assert [job["kind"] for job in listed if job["id"] == job_id] == ["evaluation"]


def test_what_a_job_cannot_do_is_told_before_it_begins(http: httpx.Client, tmp_path: Path) -> None:
    before = len(http.get("/v1/jobs").json()["jobs"])
    for body in (
        {"kind": "fine_tune", "name": "x", "data": str(tmp_path)},
        {"kind": "fine_tune", "name": "../x"},
        {"kind": "evaluation"},
        {"kind": "evaluation", "questions": "nonesuch.jsonl"},
    ):
        assert http.post("/v1/jobs", json=body).status_code == 422
    assert len(http.get("/v1/jobs").json()["jobs"]) == before
