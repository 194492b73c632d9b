"""One llama.cpp server: started when it is first asked, started again when it died, ended with Tekio."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from kernel.chat.llama.finding import ServerProgram
from retrieval.errors import BusyError, TekioError

HOST = "127.0.0.1"
_END_SECONDS = 5.0
_HEALTH_SECONDS = 2.0
_LONGEST_LINE = 300


@dataclass(frozen=True, slots=True)
class Serving:
    """What a server serves.

    Attributes:
        model: a GGUF file.
        adapters: LoRA files over it, in the order of their numbers.
        window: tokens of a prompt and its answer, of each slot.
        slots: requests that are computed at once.
        threads: 0 leaves it to the server.
    """

    model: Path
    adapters: tuple[Path, ...] = ()
    window: int = 4096
    slots: int = 1
    threads: int = 0

    def arguments(self, port: int) -> list[str]:
        """Return the arguments of llama-server; the key is none of them, since others can read those."""
        told = ["--model", str(self.model), "--host", HOST, "--port", str(port)]
        told += ["--ctx-size", str(self.window * self.slots), "--parallel", str(self.slots)]
        if self.threads:
            told += ["--threads", str(self.threads)]
        for adapter in self.adapters:
            told += ["--lora", str(adapter)]
        return [*told, "--lora-init-without-apply"] if self.adapters else told


@dataclass(slots=True)
class _Running:
    keeper: subprocess.Popen[bytes]
    url: str
    key: str = field(repr=False)
    log: Path

    def is_alive(self) -> bool:
        return self.keeper.poll() is None

    def is_well(self) -> bool:
        """Say whether the server answers that it is ready."""
        try:
            return (
                httpx.get(f"{self.url}/health", timeout=_HEALTH_SECONDS, trust_env=False).status_code == 200
            )
        except httpx.HTTPError:
            return False

    def end(self) -> None:
        """End the server; the keeper does so when its input ends."""
        assert self.keeper.stdin is not None
        with suppress(OSError):
            self.keeper.stdin.close()
        try:
            self.keeper.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.keeper.kill()
            self.keeper.wait()


class LlamaServer:
    """A server on this machine, on a free port and behind a key that it alone has.

    Args:
        find: gives the program; raises where there is none.
        serving: what is served.
        start_seconds: how long it may take to load the model.
        starts: how often it is started within `within` seconds, before it is left alone for as long.
        within: see `starts`.
        clock: gives seconds that only go forward.
    """

    def __init__(
        self,
        find: Callable[[], ServerProgram],
        serving: Serving,
        *,
        start_seconds: float = 180.0,
        starts: int = 4,
        within: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find = find
        self.serving = serving
        self._start_seconds = start_seconds
        self._starts = starts
        self._within = within
        self._clock = clock
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._started: list[float] = []
        self._closed = False

    def ready(self) -> tuple[str, str]:
        """Return the server's address and key, starting it first where it does not run. Blocks.

        Raises:
            UsageError: there is no such program.
            BusyError: it died too often of late.
            TekioError: it does not start.
        """
        with self._lock:
            if self._closed:
                raise TekioError("llama.cpp's server was ended with Tekio")
            if self._running is None or not self._running.is_alive():
                self._end()
                self._running = self._start()
            return self._running.url, self._running.key

    def check_well(self) -> None:
        """End a server that does not even answer whether it is well, so that the next request starts another."""
        with self._lock:
            if self._running is not None and not self._running.is_well():
                self._end()

    def close(self) -> None:
        """End the server for good."""
        with self._lock:
            self._closed = True
            self._end()

    def _end(self) -> None:
        if self._running is not None:
            self._running.end()
            self._running.log.unlink(missing_ok=True)
            self._running = None

    def _start(self) -> _Running:
        program = self._find()
        now = self._clock()
        self._started = [started for started in self._started if started > now - self._within]
        if len(self._started) >= self._starts:
            seconds = max(1, round(self._started[0] + self._within - now))
            raise BusyError(
                f"llama.cpp's server for {self.serving.model.name} ended {self._starts} times in "
                f"{self._within:.0f} s and is started again in {seconds} s",
                retry_after=seconds,
            )
        self._started.append(now)
        running = _launch(program, self.serving)
        limit = time.monotonic() + self._start_seconds
        while not running.is_well():
            if not running.is_alive():
                line = _last_error(running.log)
                raise TekioError(
                    f"{program.name} could not serve {self.serving.model}: {line} (its log: {running.log})"
                )
            if time.monotonic() > limit:
                line = _last_error(running.log)
                running.end()
                raise TekioError(
                    f"{program.name} was not ready after {self._start_seconds:g} s with {self.serving.model}: {line}"
                )
            time.sleep(0.05)
        return running


def _launch(program: ServerProgram, serving: Serving) -> _Running:
    key, port = secrets.token_urlsafe(32), _free_port()
    handle, name = tempfile.mkstemp(prefix="tekio-llama-", suffix=".log")  # that only its owner reads
    os.close(handle)
    keeper = subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", str(Path(__file__).with_name("keeper.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for Tekio, which ends it
    )
    told = {
        "command": [*program.command, *serving.arguments(port)],
        "environment": {"LLAMA_API_KEY": key, **program.environment()},
        "log": name,
    }
    assert keeper.stdin is not None
    keeper.stdin.write(json.dumps(told).encode() + b"\n")
    keeper.stdin.flush()
    return _Running(keeper, f"http://{HOST}:{port}", key, Path(name))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        return int(free.getsockname()[1])


def _last_error(log: Path) -> str:
    """Return the line of a log that says what went wrong."""
    lines = [" ".join(line.split()) for line in _lines(log) if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or "failed" in line.lower()]
    return (errors or lines or ["it said nothing"])[-1][:_LONGEST_LINE]


def _lines(log: Path) -> Sequence[str]:
    try:
        return log.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
