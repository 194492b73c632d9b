"""Processes that read files, kept within limits: a file may crash, hang or eat memory, and costs only itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ingest.blocks import Outcome
from ingest.prepare import Preparation
from ingest.worker import OUT_OF_MEMORY, Refusal, Reply, Request, receive, send

_START = "from ingest.worker import main; main()"
_STOPPED = "the ingest was stopped"
_FILES_A_PROCESS = 500
"""After so many a process is replaced: what libraries leak stays bounded."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost: seconds, and bytes of the reading process."""

    seconds: float = 300.0
    memory: int = 2 * 2**30


class Reader:
    """One reading process, started when it is needed and again after each death. Used by one thread at a time."""

    def __init__(self, preparation: Preparation, limits: Limits) -> None:
        self._preparation = preparation
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._files = 0
        self._closed = False
        self._state = threading.Lock()

    def read(self, request: Request) -> Reply:
        """Read a file in the process, within the limits."""
        process = self._started()
        if process is None:
            return Refusal(Outcome.FAILED, _STOPPED)
        assert process.stdin is not None
        assert process.stdout is not None
        with _alarm(process, self._limits.seconds) as rang:
            try:
                send(process.stdin, request)
                reply: Reply = receive(process.stdout)
            except (EOFError, OSError):
                reply = self._obituary(process, late=rang.is_set())
        self._files += 1
        if (isinstance(reply, Refusal) and reply.costly) or self._files >= _FILES_A_PROCESS:
            self._end()
        return reply

    def close(self) -> None:
        """End the process, also from another thread while it reads; it is not started again."""
        with self._state:
            self._closed = True
        self._end()

    def _started(self) -> subprocess.Popen[bytes] | None:
        with self._state:
            if self._closed:
                return None
            if self._process is None:
                self._process = subprocess.Popen(  # noqa: S603 - this program itself
                    [sys.executable, "-c", _START],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    # The same modules as here, also from a checkout; and one thread each: there are several.
                    env=os.environ
                    | {
                        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                        "TOKENIZERS_PARALLELISM": "false",
                        "OMP_NUM_THREADS": "1",
                    },
                    start_new_session=True,  # Ctrl-C is for the ingest, which ends its readers itself
                )
                self._files = 0
                assert self._process.stdin is not None
                with suppress(OSError):  # it died at once, which the reading finds
                    send(self._process.stdin, (self._preparation, self._limits.memory))
            return self._process

    def _obituary(self, process: subprocess.Popen[bytes], *, late: bool) -> Refusal:
        self._end()
        if late:
            return Refusal(
                Outcome.FAILED,
                f"not read within {self._limits.seconds:g} seconds: split it, or raise reader_seconds "
                "in tekio.toml",
                costly=True,
            )
        if self._closed:
            return Refusal(Outcome.FAILED, _STOPPED)
        code = process.wait()
        if code in (-9, 137):  # the system's own memory killer
            return Refusal(Outcome.FAILED, OUT_OF_MEMORY, costly=True)
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return Refusal(
            Outcome.FAILED, f"the reader broke down on it ({how}); the file may be damaged", costly=True
        )

    def _end(self) -> None:
        with self._state:
            process, self._process = self._process, None
        if process is None:
            return
        _kill(process)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with those that it started, of which a text recognition may be one."""
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _alarm(process: subprocess.Popen[bytes], seconds: float) -> Iterator[threading.Event]:
    rang = threading.Event()

    def ring() -> None:
        rang.set()
        _kill(process)

    timer = threading.Timer(seconds, ring)
    timer.daemon = True
    timer.start()
    try:
        yield rang
    finally:
        timer.cancel()
