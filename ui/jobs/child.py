"""The process of a job: runs its commands, and writes down what they say and what became of them.

It outlives the server that started it, so that a restart costs no training; the server that comes finds it by its lock.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from filelock import Timeout

from ui.jobs.records import Job, JobFolder, State
from ui.training_bar import PROGRESS

_COUNT = re.compile(r"(?:^|\bstep )([\d,]+) of ([\d,]+)\b")
_GRACE = 10
_LOOKED = 0.2
_PARTIAL = 3
_LONGEST_LINE = 2000


class Child:
    """Does one job."""

    def __init__(self, folder: JobFolder, job: Job) -> None:
        self._folder = folder
        self._job = job
        self._process: subprocess.Popen[bytes] | None = None
        self._cancelled = threading.Event()
        self._events = 0
        self._written = 0.0

    def begin(self) -> None:
        """Listen to who cancels the job, and say by what number this process is known."""
        signal.signal(signal.SIGTERM, lambda _number, _frame: self._cancel())
        threading.Thread(target=self._watch, daemon=True).start()
        self._note(started_at=now(), pid=os.getpid())

    def run(self) -> None:
        """Run the commands one after the other, until one fails or the job is cancelled."""
        code = 0
        for command in self._job.commands:
            code = self._command(command)
            if code not in (0, _PARTIAL) or self._cancelled.is_set():
                break
        self._end(code)

    def _command(self, command: list[str]) -> int:
        self._tell("message", message=f"tekio {' '.join(command[:2])}")
        if self._cancelled.is_set():
            return 1
        with self._folder.result_file.open("wb") as result:
            self._process = subprocess.Popen(  # noqa: S603 - this program itself
                [sys.executable, "-m", "ui.cli", *command],
                stdin=subprocess.DEVNULL,
                stdout=result,
                stderr=subprocess.PIPE,
                env=os.environ | {PROGRESS: "json"},
            )
            if self._cancelled.is_set():
                self._process.terminate()
            assert self._process.stderr is not None
            for line in _lines(self._process.stderr):
                self._heard(line)
            return self._process.wait()

    def _heard(self, line: str) -> None:
        figures = _figures(line)
        if figures is not None:
            self._job = replace(self._job, progress=figures)
            self._tell("progress", **figures)
        else:
            self._job = replace(self._job, message=line)
            self._tell("message", message=line)
        if time.monotonic() - self._written > 0.5:
            self._note()

    def _watch(self) -> None:
        while not self._folder.cancel_file.exists():
            time.sleep(_LOOKED)
        self._cancel()

    def _cancel(self) -> None:
        self._cancelled.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            killer = threading.Timer(_GRACE, process.kill)
            killer.daemon = True
            killer.start()

    def _end(self, code: int) -> None:
        state: State = "partial" if code == _PARTIAL else "failed" if code else "succeeded"
        if self._cancelled.is_set() and code:
            state = "cancelled"
        self._note(state=state, exit_code=code, ended_at=now())
        self._tell("done", state=state, exit_code=code, message=self._job.message)

    def _note(self, **changes: Any) -> None:
        self._job = replace(self._job, **changes)
        self._folder.write(self._job)
        self._written = time.monotonic()

    def _tell(self, event: str, **data: Any) -> None:
        self._events += 1
        line = json.dumps({"n": self._events, "event": event, "at": now(), **data}, ensure_ascii=False)
        with self._folder.events_file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _lines(stream: IO[bytes]) -> Any:
    for raw in stream:
        line = raw.decode("utf-8", "replace").strip()
        if line:
            yield line[:_LONGEST_LINE]


def _figures(line: str) -> dict[str, Any] | None:
    """Return what a line says of the progress; None for one that says none."""
    if line.startswith('{"progress"'):
        try:
            return dict(json.loads(line)["progress"])
        except (ValueError, KeyError, TypeError):
            return None
    count = _COUNT.search(line)
    if count is None:
        return None
    done, total = (int(part.replace(",", "")) for part in count.groups())
    return {"done": done, "total": total, "message": line}


def now() -> str:
    """Return the time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def main() -> None:
    """Do the job of the folder that the command line names."""
    folder = JobFolder(Path(sys.argv[1]))
    try:
        with folder.lock(wait=_GRACE):  # somebody may be looking whether it is held
            job = Job(**json.loads((folder.folder / "job.json").read_text(encoding="utf-8")))
            child = Child(folder, job)
            child.begin()
            print("alive", flush=True)
            os.dup2(
                os.open(os.devnull, os.O_WRONLY), 1
            )  # whoever waited for the word need not be there for more
            child.run()
    except Timeout:
        sys.exit("another process does this job")


if __name__ == "__main__":
    main()
