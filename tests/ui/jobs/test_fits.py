"""Policies and ensembles fitted as jobs of a real server, and put to serve and taken out by who may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from kernel.api_keys import KeyStore
from kernel.app import Tekio
from kernel.settings import Settings, load_settings
from retrieval.access import PUBLIC
from retrieval.errors import UsageError
from tests.adaptation.conftest import make_embedder, write_documents
from tests.ui.serving import events_of, served
from tests.ui.test_adapt_policy import write_run
from ui.client import ApiError, Client
from ui.jobs.fits import EnsembleJob, PolicyJob
from ui.jobs.kinds import commands_of
from ui.jobs.records import JobsFolder

ACTIONS = [{"variant": "extractive"}, {"variant": "base"}]
REWARDS = {"correct": 1, "supported": 0, "short": 0, "fast": 0}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of an index of small documents, with a tiny embedder, an ensemble and policies."""
    folder = tmp_path_factory.mktemp("fits")
    places = {name: folder / name for name in ("index", "memory", "adapters", "jobs", "cache", "uploads")}
    settings = load_settings(
        **places,
        policy_files=folder / "policies",
        embedder=str(make_embedder(folder / "embedder")),
        embedder_engine="torch",
        chunk_tokens=96,
        reading=False,
        offline=True,
        variant="extractive",
        job_roots=[folder],
        policies={
            "smart": {"actions": ACTIONS, "rewards": REWARDS},
            "plain": {"actions": ACTIONS, "rewards": REWARDS},
        },
        ensembles={
            "quoted": {
                "rule": "weighted",
                "members": ["extractive", {"variant": "extractive", "technique": "few_shot"}],
            },
            "voted": {"members": ["extractive", "base"]},
        },
    )
    with closing(Tekio(settings)) as tekio:
        tekio.ingest([write_documents(folder / "documents")], access=PUBLIC)
    return settings


@pytest.fixture(scope="module")
def keys(made: Settings) -> dict[str, str]:
    """Keys of the server, by what they are for: of one who runs it, and of one who writes documents alone."""
    store = KeyStore(made.memory_place)
    return {
        "admin": store.create("runs", "admin", user="mori")[1],
        "write": store.create("writes", "write", user="sato")[1],
    }


@pytest.fixture(scope="module")
def http(made: Settings, keys: dict[str, str]) -> Iterator[httpx.Client]:
    """A client of the server, as one who runs it."""
    with (
        served(Tekio, made) as base,
        httpx.Client(
            base_url=base, timeout=600, headers={"Authorization": f"Bearer {keys['admin']}"}
        ) as found,
    ):
        yield found


def followed(http: httpx.Client, body: dict[str, object]) -> tuple[dict[str, object], list[str]]:
    """Start a job and wait for its end; return it with its result, and what it said of its progress."""
    started = http.post("/v1/jobs", json=body)
    assert started.status_code == 202, started.text
    job_id = started.json()["id"]
    events = events_of(http.get(f"/v1/jobs/{job_id}/events", timeout=600))
    found = http.get(f"/v1/jobs/{job_id}").json()
    assert found["state"] == "succeeded", found["message"]
    return found, [data["message"] for name, data in events if name == "progress"]


def test_a_policy_is_trained_on_an_evaluation_of_this_server_put_to_serve_and_taken_out(
    http: httpx.Client, keys: dict[str, str], made: Settings
) -> None:
    evaluation, folder = JobsFolder(made.jobs).make()
    write_run(folder.folder / "run.json", base=0.9)
    asked = {"kind": "policy", "name": "smart", "evaluations": [evaluation], "steps": 500}
    job, progress = followed(http, asked)
    assert [line.split(",")[0] for line in progress] == ["500 of 500 steps"]
    assert (job["by"], job["options"]["evaluations"]) == ("mori", [evaluation])  # type: ignore[index]
    value = job["result"]["value"]  # type: ignore[index]
    assert value["beats_default"]
    assert value["gain"]["low"] > 0.3

    with Client(str(http.base_url), key=keys["admin"]) as client:
        smart, plain = client.policies()
        assert (smart.policy, smart.serving, plain.candidate) == ("smart", None, None)
        assert smart.candidate is not None
        assert smart.candidate.value == value
        served = client.activate_policy("smart")
        assert served.serving is not None
        assert served.serving.activated
        assert client.roll_back_policy("smart").serving is None
        with pytest.raises(ApiError, match="its safe default answers already"):
            client.roll_back_policy("smart")
        with pytest.raises(ApiError, match="no such policy"):
            client.activate_policy("nobody")


def test_a_policy_that_is_not_better_serves_by_force_alone(http: httpx.Client, made: Settings) -> None:
    write_run(made.jobs.parent / "even.json", base=0.4)
    job, _ = followed(http, {"kind": "policy", "name": "plain", "runs": ["even.json"], "steps": 20})
    assert not job["result"]["value"]["beats_default"]  # type: ignore[index]
    refused = http.post("/v1/policies/plain/activate", json={})
    assert (refused.status_code, refused.json()["error"]["type"]) == (422, "usage")
    assert "not shown to be better than its safe default" in refused.json()["detail"]
    forced = http.post("/v1/policies/plain/activate", json={"force": True})
    assert forced.json()["serving"]["activated"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/policies"),
        ("GET", "/v1/policies/smart"),
        ("POST", "/v1/policies/smart/activate"),
        ("POST", "/v1/policies/smart/rollback"),
        ("POST", "/v1/jobs"),
    ],
)
def test_whoever_does_not_run_the_service_neither_sees_nor_changes_who_answers(
    http: httpx.Client, keys: dict[str, str], method: str, path: str
) -> None:
    for key, status in ((keys["write"], 403), ("nobody", 401)):
        headers = {"Authorization": f"Bearer {key}"}
        assert http.request(method, path, headers=headers, json={}).status_code == status


def test_an_ensemble_is_fitted_to_questions_that_are_sent_and_answers_by_that(
    http: httpx.Client, made: Settings
) -> None:
    rows = [
        {"id": name, "question": f"How deep is pump {name}?", "answer": "9 m", "document": f"{name}.md"}
        for name in "abcde"
    ]
    question = {"question": "How deep is pump a?", "variant": "quoted"}
    before = http.post("/v1/ask", json=question).json()["ensemble"]
    assert [member["weight"] for member in before["members"]] == [1, 1]

    job, progress = followed(http, {"kind": "ensemble", "name": "quoted", "rows": rows})
    assert progress == ["10 of 10 answers, extractive/few_shot"]
    result = job["result"]
    assert isinstance(result, dict)
    assert (result["questions"], result["documents"]) == (5, 5)
    assert {"gain", "gain_interval", "p_value", "best_member", "weights"} <= set(result)

    fitted = Path(result["file"])
    held = json.loads(fitted.read_text(encoding="utf-8"))
    fitted.write_text(json.dumps(held | {"weights": [0.25, 2.0]}), encoding="utf-8")
    after = http.post("/v1/ask", json=question | {"cache": False}).json()["ensemble"]
    assert [member["weight"] for member in after["members"]] == [0.25, 2]


def test_what_cannot_be_fitted_is_refused_before_a_job_begins(made: Settings, tmp_path: Path) -> None:
    rows = [{"question": "Why?", "answer": "So."}]
    for job, why in (
        (EnsembleJob(kind="ensemble", name="nobody", rows=rows), "there is no ensemble 'nobody'"),
        (EnsembleJob(kind="ensemble", name="voted", rows=rows), "majority of 'voted' has nothing"),
        (EnsembleJob(kind="ensemble", name="quoted"), "a file of questions or rows"),
        (PolicyJob(kind="policy", name="nobody", feedback=True), "there is no policy 'nobody'"),
        (PolicyJob(kind="policy", name="smart"), "say what to learn from"),
        (PolicyJob(kind="policy", name="smart", feedback=True, runs=["even.json"]), "say what to learn from"),
        (PolicyJob(kind="policy", name="smart", evaluations=["0" * 24]), "there is no evaluation"),
    ):
        (made.jobs.parent / "even.json").touch()
        with pytest.raises(UsageError, match=why):
            commands_of(job, tmp_path, made)
    with pytest.raises(ValueError, match="pattern"):
        EnsembleJob(kind="ensemble", name="--force", rows=rows)
