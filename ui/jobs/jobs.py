"""Long work beside the server: started, looked at, followed and cancelled. One job of a kind runs at a time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kernel.settings import Settings
from retrieval.errors import ConflictError, NotFoundError, TekioError
from ui.jobs.child import now
from ui.jobs.kinds import AnyJob, commands_of
from ui.jobs.records import Job, JobFolder, JobsFolder

_CHILD = "ui.jobs.child"


class JobRunningError(ConflictError):
    """A job of this kind is under way."""

    code = "job_running"


class Jobs:
    """The jobs of one server's folder. Methods block; call them from threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = JobsFolder(settings.jobs)
        self._starting = threading.Lock()

    def start(self, request: AnyJob, *, by: str = "") -> Job:
        """Start a job.

        Args:
            request: what to do.
            by: who asked for it.

        Raises:
            UsageError: something of it is wrong.
            JobRunningError: one of its kind is under way.
        """
        with self._starting:
            running = [job for job in self._folder.jobs() if job.kind == request.kind and not job.has_ended]
            if running:
                raise JobRunningError(
                    f"the job {running[0].id} of the kind {request.kind} is under way: wait for it, or cancel it"
                )
            job_id, folder = self._folder.make()
            try:
                commands = commands_of(request, folder.folder, self._settings)
                options = request.model_dump(mode="json", exclude={"kind", "rows"})
                job = Job(job_id, request.kind, now(), commands, options, by=by)
                folder.write(job)
                self._spawn(folder)
            except BaseException:
                shutil.rmtree(folder.folder, ignore_errors=True)
                raise
        return self.get(job_id)

    def listed(self) -> list[Job]:
        """List the jobs, the newest first."""
        return self._folder.jobs()

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            NotFoundError: there is none of this id.
        """
        job = self._found(job_id).read()
        if job is None:
            raise NotFoundError("there is no such job; /v1/jobs lists those that there are")
        return job

    def result(self, job_id: str) -> Any:
        """Return what a job gave, as its command prints it; None before it ended."""
        job = self.get(job_id)
        return self._found(job_id).result() if job.has_ended else None

    def events(self, job_id: str, after: int = 0) -> list[dict[str, Any]]:
        """Return the events behind a number; the last of a job that ended is `done`."""
        return list(self._events(job_id, after))

    def cancel(self, job_id: str) -> Job:
        """Ask a job to end, and return it as it stands; one that has ended stays as it is."""
        job = self.get(job_id)
        if not job.has_ended:
            self._found(job_id).cancel_file.touch()
        return self.get(job_id)

    def _events(self, job_id: str, after: int) -> Iterator[dict[str, Any]]:
        folder = self._found(job_id)
        job = self.get(job_id)  # before the events, so that none is missed that came before its end
        heard = max(after - 1, 0)  # with the last one that was heard, which may have been the end
        events = list(folder.events(heard))
        yield from events[after - heard :]
        is_told = bool(events) and events[-1]["event"] == "done"
        last = heard + len(events)
        if job.has_ended and not is_told and after <= last:
            # Its process died, or is about to tell it.
            yield {
                "n": last + 1,
                "event": "done",
                "at": job.ended_at or now(),
                "state": job.state,
                "exit_code": job.exit_code,
                "message": job.message,
            }

    def _found(self, job_id: str) -> JobFolder:
        folder = self._folder.of(job_id)
        if folder is None:
            raise NotFoundError("there is no such job; /v1/jobs lists those that there are")
        return folder

    def _spawn(self, folder: JobFolder) -> None:
        process = subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-m", _CHILD, str(folder.folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment_of(self._settings), **_import_path()},
            start_new_session=True,  # Ctrl-C is for the server
        )
        assert process.stdout is not None
        with process.stdout:
            alive = process.stdout.readline()  # from here on it holds its lock
        if not alive:
            raise TekioError("the process of the job could not be started")
        threading.Thread(target=process.wait, daemon=True).start()  # so that no dead process is left over


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the variables by which a command has the settings that this process has."""
    values: Mapping[str, Any] = settings.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return {
        f"TEKIO_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }


def _import_path() -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    known = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([root, known]) if known else root}
