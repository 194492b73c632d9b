"""`tekio serve` in a process of its own on a free port, for what is measured and tested over HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import httpx

from retrieval.errors import TekioError
from retrieval.stores.opening import Place

ROOT = Path(__file__).parents[2]
_END_SECONDS = 20
_READY_SECONDS = 300


class Server:
    """A server over an index, from `with` to its end."""

    def __init__(
        self, place: Place, environment: Mapping[str, str] | None = None, *, folder: Path | None = None
    ) -> None:
        """Describe a server.

        Args:
            place: of its index.
            environment: variables beside those of this process: its settings.
            folder: that it works in; its own, empty one unless given.
        """
        self._place = place
        self._environment = dict(environment or {})
        self._folder = folder
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Server:
        """Start it; it is not ready yet."""
        self._own = tempfile.TemporaryDirectory()
        self._log = (Path(self._own.name) / "log").open("w+")
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-m", "ui.cli", "serve", "--port", str(self.port)]
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            [*command, "--index", str(self._place)],
            cwd=self._folder or self._own.name,
            env={**os.environ, "PYTHONPATH": paths, **self._environment},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End it."""
        self.end()
        self._log.close()
        self._own.cleanup()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def wait_until_ready(self, seconds: float = _READY_SECONDS) -> float:
        """Wait until it says that it is ready; return the seconds that took.

        Raises:
            TekioError: it ended, or took too long.
        """
        began = time.monotonic()
        said = "it does not listen"
        while time.monotonic() < began + seconds:
            if self._process.poll() is not None:
                raise TekioError(f"the server ended with code {self._process.returncode}: {self.log()}")
            try:
                response = httpx.get(f"{self.address}/readyz", timeout=10)
                if response.status_code == 200:
                    return time.monotonic() - began
                said = response.text
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise TekioError(f"the server was not ready in {seconds:.0f} s: {said[:300]} {self.log()}")

    def log(self) -> str:
        """Return the end of what it wrote."""
        self._log.flush()
        return Path(self._log.name).read_text("utf-8", errors="replace")[-1000:].strip()

    def kill(self) -> None:
        """End it as a machine does that fails: at once, without a word."""
        self._process.kill()
        self._process.wait(_END_SECONDS)

    def end(self) -> None:
        """Ask it to end, and make it when it does not."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
