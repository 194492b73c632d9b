"""What is kept of a job, in a folder of its own: what it is, what became of it, each event, and the result.

The process that does a job writes it; whoever reads it finds out by a lock whether that process still lives.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

State = Literal["running", "succeeded", "partial", "failed", "cancelled", "interrupted"]
ENDED = frozenset({"succeeded", "partial", "failed", "cancelled", "interrupted"})
KEPT = 200
"""Jobs that are kept; those that ended longest ago go first."""
_BEGINS = timedelta(seconds=60)
"""Time in which the process of a new job takes its lock, on a busy machine too."""
_ID = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class Job:
    """A job. Times are ISO 8601 in UTC; `progress` has `done` and `total`, and what else is known.

    `state`: `partial` is a command that says that part of the work failed, `interrupted` a process that is gone
    without a word. `message` is the last line that it said.
    """

    id: str
    kind: str
    created_at: str
    commands: list[list[str]]
    options: dict[str, Any]
    by: str = ""
    state: State = "running"
    started_at: str | None = None
    ended_at: str | None = None
    exit_code: int | None = None
    pid: int | None = None
    progress: dict[str, Any] = field(default_factory=dict)
    message: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state in ENDED


def _begins(job: Job) -> bool:
    """Say whether a job has no process because it was written down only now, and its process has yet to start."""
    age = datetime.now(UTC) - datetime.fromisoformat(job.created_at)
    return job.started_at is None and age < _BEGINS


class JobFolder:
    """The folder of one job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def events_file(self) -> Path:
        """Its events, a JSON object a line."""
        return self.folder / "events.jsonl"

    @property
    def cancel_file(self) -> Path:
        """A file that asks the process of the job to end, on whichever machine that is."""
        return self.folder / "cancel"

    @property
    def result_file(self) -> Path:
        """What its last command printed."""
        return self.folder / "result.json"

    def write(self, job: Job) -> None:
        """Keep the job as it stands; a reader finds the old state or the new one."""
        path = self.folder / f"job.json.{os.getpid()}"
        path.write_text(json.dumps(asdict(job), ensure_ascii=False), encoding="utf-8")
        path.replace(self.folder / "job.json")

    def read(self) -> Job | None:
        """Return the job; None where there is none that can be read."""
        try:
            job = Job(**json.loads((self.folder / "job.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        if not job.has_ended and not self.is_alive():
            # It may have ended between the two looks.
            again = Job(**json.loads((self.folder / "job.json").read_text(encoding="utf-8")))
            return again if again.has_ended or _begins(again) else replace(again, state="interrupted")
        return job

    def lock(self, *, wait: float = 0) -> FileLock:
        """Return the lock that the process of the job holds for as long as it lives; `wait` is in seconds."""
        return FileLock(self.folder / "alive.lock", timeout=wait)

    def is_alive(self) -> bool:
        """Say whether the process of the job lives."""
        try:
            with self.lock():
                return False
        except Timeout:
            return True

    def events(self, after: int = 0) -> Iterator[dict[str, Any]]:
        """Yield the events behind a number; each has its number `n`, from 1."""
        try:
            lines = self.events_file.read_text(encoding="utf-8").splitlines(keepends=True)
        except OSError:
            return
        for line in lines[after:]:
            if line.endswith("\n"):  # else it is being written
                yield json.loads(line)

    def result(self) -> Any:
        """Return what the last command gave; None where it gave nothing."""
        try:
            return json.loads(self.result_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None


class JobsFolder:
    """The folders of all jobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def make(self) -> tuple[str, JobFolder]:
        """Make a folder for a new job, and clear away the oldest that ended."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ended = [job for job in self.jobs() if job.has_ended]
        for job in ended[KEPT:]:
            shutil.rmtree(self.folder / job.id, ignore_errors=True)
        name = secrets.token_hex(12)
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        return name, JobFolder(folder)

    def of(self, job_id: str) -> JobFolder | None:
        """Return the folder of a job; None where there is none."""
        folder = self.folder / job_id
        return JobFolder(folder) if _ID.fullmatch(job_id) and folder.is_dir() else None

    def jobs(self) -> list[Job]:
        """List the jobs, the newest first."""
        if not self.folder.is_dir():
            return []
        found = (JobFolder(path).read() for path in self.folder.iterdir() if _ID.fullmatch(path.name))
        return sorted((job for job in found if job is not None), key=lambda job: job.created_at, reverse=True)
