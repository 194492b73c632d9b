"""Jobs as real processes: an ingest, its events, what a restarted server knows, and how one is cancelled."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import UsageError
from tests.ui.serving import events_of, own_settings, served
from ui.jobs.child import now
from ui.jobs.jobs import JobRunningError, Jobs, environment_of
from ui.jobs.kinds import FineTuneJob, IngestJob, commands_of
from ui.jobs.parts import allowed
from ui.jobs.records import Job, JobsFolder


@pytest.fixture
def settings(tmp_path: Path, model_store: ModelStore) -> Settings:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "kiln.md").write_text("# Kiln\n\nThe kiln is fired for nine hours.\n")
    (tmp_path / "docs" / "photo.md").write_bytes(b"")
    return own_settings(tmp_path, model_store, job_roots=[tmp_path])


def test_an_ingest_is_followed_to_its_end_and_known_after_a_restart(settings: Settings) -> None:
    with served(Tekio, settings) as base, httpx.Client(base_url=base, timeout=120) as http:
        assert http.get("/v1/jobs").json() == {"jobs": []}
        body = {"kind": "ingest", "paths": ["docs"], "tags": ["ward=kiln"]}
        started = http.post("/v1/jobs", json=body)
        assert (started.status_code, started.json()["state"]) == (202, "running")
        job_id = started.json()["id"]
        second = http.post("/v1/jobs", json=body)
        assert (second.status_code, second.json()["error"]["type"]) == (409, "job_running")
        events = events_of(http.get(f"/v1/jobs/{job_id}/events"))
        assert [name for name, _ in events][-1] == "done"
        progress = [data for name, data in events if name == "progress"]
        assert (progress[-1]["done"], progress[-1]["total"]) == (2, 2)
        assert events[-1][1]["state"] == "succeeded"
        again = events_of(
            http.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": str(len(events) - 1)})
        )
        assert again == events[-1:]
        assert http.get("/v1/documents").json()["documents"][0]["tags"] == {"ward": ["kiln"]}
        assert http.delete(f"/v1/jobs/{job_id}").json()["state"] == "succeeded"
    after = Jobs(settings)
    assert after.get(job_id).state == "succeeded"
    assert {file["outcome"] for file in after.result(job_id)["files"]} == {"ok", "empty"}
    assert [job.id for job in after.listed()] == [job_id]


def test_a_cancelled_job_ends_with_its_command(settings: Settings) -> None:
    jobs = Jobs(settings)
    job = jobs.start(FineTuneJob(kind="fine_tune", name="a", data="docs"))
    with pytest.raises(JobRunningError, match=job.id):
        jobs.start(FineTuneJob(kind="fine_tune", name="b", data="docs"))
    jobs.cancel(job.id)
    ended = until_ended(jobs, job.id)
    assert ended.state == "cancelled"
    assert ended.ended_at is not None
    assert jobs.events(job.id)[-1]["event"] == "done"


def test_the_end_of_a_job_is_told_once_also_before_its_process_has_told_it(settings: Settings) -> None:
    jobs = Jobs(settings)
    job = jobs.start(FineTuneJob(kind="fine_tune", name="a", data="docs"))
    jobs.cancel(job.id)
    until_ended(jobs, job.id)
    file = settings.jobs / job.id / "events.jsonl"
    for _ in range(100):
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        if '"done"' in lines[-1]:
            break
        time.sleep(0.05)
    told = jobs.events(job.id)
    assert told[-1]["event"] == "done"
    file.write_text("".join(lines[:-1]), encoding="utf-8")
    early = jobs.events(job.id)
    assert [event["n"] for event in early] == [event["n"] for event in told]
    assert {**early[-1], "at": ""} == {**told[-1], "at": ""}
    assert jobs.events(job.id, early[-1]["n"]) == []


def test_a_stream_of_events_ends_for_whoever_has_heard_the_end(settings: Settings) -> None:
    with served(Tekio, settings) as base, httpx.Client(base_url=base, timeout=60) as http:
        started = http.post("/v1/jobs", json={"kind": "ingest", "paths": ["docs"]}).json()["id"]
        events = events_of(http.get(f"/v1/jobs/{started}/events"))
        last = {"Last-Event-ID": str(len(events))}
        assert events_of(http.get(f"/v1/jobs/{started}/events", headers=last)) == []


def test_a_job_whose_process_was_killed_is_told_as_interrupted(settings: Settings) -> None:
    jobs = Jobs(settings)
    job = jobs.start(FineTuneJob(kind="fine_tune", name="a", data="docs"))
    assert job.pid is not None
    os.killpg(job.pid, signal.SIGKILL)
    found = until_ended(jobs, job.id)
    assert found.state == "interrupted"
    assert jobs.events(job.id)[-1]["state"] == "interrupted"
    assert jobs.cancel(job.id).state == "interrupted"


def test_a_job_whose_process_has_yet_to_start_is_no_interrupted_one(tmp_path: Path) -> None:
    jobs = JobsFolder(tmp_path)
    for created in (now(), "2026-01-01T00:00:00+00:00"):
        job_id, folder = jobs.make()
        folder.write(Job(job_id, "ingest", created, [], {}))
    assert [job.state for job in jobs.jobs()] == ["running", "interrupted"]


def test_a_job_that_fails_says_why(settings: Settings) -> None:
    jobs = Jobs(settings)
    job = jobs.start(FineTuneJob(kind="fine_tune", name="a", data="docs"))
    found = until_ended(jobs, job.id)
    assert (found.state, found.exit_code) == ("failed", 2)
    assert "docs" in found.message


def until_ended(jobs: Jobs, job_id: str) -> Job:
    end = time.monotonic() + 60
    while not jobs.get(job_id).has_ended and time.monotonic() < end:
        time.sleep(0.05)
    return jobs.get(job_id)


@pytest.mark.parametrize(
    "given", ["../outside", "/etc", "docs/../../outside", "link", "nonesuch", "\0", "~root"]
)
def test_only_what_lies_below_the_roots_is_read(tmp_path: Path, given: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(UsageError, match="job_roots"):
        allowed(given, [root])
    with pytest.raises(UsageError, match="job_roots"):
        allowed("anything", [])


def test_what_lies_below_a_root_is_found(tmp_path: Path) -> None:
    (tmp_path / "b" / "docs").mkdir(parents=True)
    (tmp_path / "a").mkdir()
    roots = [tmp_path / "a", tmp_path / "b"]
    assert allowed("docs", roots) == tmp_path / "b" / "docs"
    assert allowed(str(tmp_path / "b" / "docs"), roots) == tmp_path / "b" / "docs"


def test_no_value_becomes_an_option(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "--prune").mkdir()
    ingest = IngestJob(kind="ingest", paths=["--prune"], tags=["--owner=root"])
    (command,) = commands_of(ingest, tmp_path, settings)
    assert command == ["ingest", "--json", "--tag=--owner=root", "--", str(tmp_path / "--prune")]
    with pytest.raises(ValueError, match="pattern"):
        FineTuneJob(kind="fine_tune", name="--force")


def test_a_set_is_made_where_none_is_named(settings: Settings, tmp_path: Path) -> None:
    made, train = commands_of(FineTuneJob(kind="fine_tune", name="mine", steps=3), tmp_path, settings)
    assert made[:2] == ["adapt", "dataset"]
    assert f"--data={tmp_path / 'set'}" in train
    assert "--steps=3" in train


def test_a_command_has_the_settings_of_the_server(settings: Settings) -> None:
    found = environment_of(settings)
    assert found["TEKIO_INDEX"] == str(settings.index)
    assert found["TEKIO_VARIANT"] == "extractive"
    assert "TEKIO_STORE" not in found or not found["TEKIO_STORE"]


def test_only_admins_run_jobs(tmp_path: Path, scripted: type[Tekio], model_store: ModelStore) -> None:
    settings = own_settings(tmp_path, model_store, user_header="X-User", admins=["user:mori"])
    with served(scripted, settings) as base:
        for user, status in ((None, 403), ("sato", 403), ("mori", 200)):
            headers = {} if user is None else {"X-User": user}
            assert httpx.get(f"{base}/v1/jobs", headers=headers).status_code == status
        assert httpx.get(f"{base}/v1/jobs/{'0' * 24}", headers={"X-User": "mori"}).status_code == 404


def test_old_jobs_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.jobs.records.KEPT", 2)
    jobs = JobsFolder(tmp_path)
    for number in range(4):
        job_id, folder = jobs.make()
        folder.write(Job(job_id, "ingest", f"2026-01-0{number + 1}", [], {}, state="failed"))
    assert [job.created_at for job in jobs.jobs()] == ["2026-01-04", "2026-01-03", "2026-01-02"]
