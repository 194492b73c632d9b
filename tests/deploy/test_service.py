"""The service as systemd would start and stop it: its own command, environment, mask and signal."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from configparser import RawConfigParser
from pathlib import Path

import httpx

from evaluation.benchmarks.own_server import free_port
from kernel.model_store import ModelStore

UNIT = Path(__file__).parents[2] / "deploy" / "tekio.service"
BINARY = "/opt/tekio/bin/tekio"


class _Repeated(dict[str, str]):
    """Keeps what comes several times as lines, which a parser of ini files does not do by itself."""

    def __setitem__(self, key: str, value: object) -> None:
        if isinstance(value, list) and key in self:
            value = [*super().__getitem__(key), *value]
        super().__setitem__(key, value)  # type: ignore[assignment]


def service() -> dict[str, list[str]]:
    """The settings of the unit's section Service, each with its lines."""
    parser = RawConfigParser(strict=False, dict_type=_Repeated, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(UNIT.read_text("utf-8"))
    return {name: value.split("\n") for name, value in parser.items("Service")}


def test_the_service_starts_by_its_own_line_and_ends_cleanly_when_it_is_stopped(
    tmp_path: Path, model_store: ModelStore
) -> None:
    unit = service()
    (line,) = unit["ExecStart"]
    words = shlex.split(line)
    assert words[0] == BINARY
    port = free_port()  # that of the unit may be taken here
    assert words[words.index("--port") + 1] == "8400"
    command = [sys.executable, "-m", "ui.cli", *(str(port) if word == "8400" else word for word in words[1:])]
    given = dict(each.split("=", 1) for each in unit["Environment"])
    assert {"TEKIO_CACHE", "TEKIO_LOG_FORMAT"} <= set(given)
    given["TEKIO_CACHE"] = str(model_store.cache)  # instead of fetching the models anew
    # What systemd gives a service, and what finds the program here; nothing of the environment of these tests.
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
        "LANG": "C.UTF-8",
        "HOME": str(tmp_path),
        "USER": "tekio",
        "PYTHONPATH": os.pathsep.join(str(path) for path in (UNIT.parents[1], *sys.path) if path),
        **given,
    }
    (mask,) = unit["UMask"]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            command, cwd=tmp_path, env=environment, umask=int(mask, 8), stdout=log, stderr=log
        ) as server,
    ):
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
                wait_for(http, server, tmp_path / "log")
                kept = {"text": "The spare key is in drawer 4."}
                assert http.post("/v1/memory", json=kept, timeout=120).status_code == 200
            server.send_signal(getattr(signal, unit["KillSignal"][0]))
            server.wait(float(unit["TimeoutStopSec"][0]))
        finally:
            if server.poll() is None:
                server.kill()
    said = (tmp_path / "log").read_text("utf-8")
    assert server.returncode == 0, said
    assert "Traceback" not in said
    assert all(isinstance(json.loads(each), dict) for each in said.splitlines() if each.startswith("{"))
    files = [path for path in (tmp_path / ".tekio").rglob("*") if path.is_file()]
    assert files, "they lie below the working directory, which is the service's own"
    assert not [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077]


def wait_for(http: httpx.Client, server: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + 120
    while True:
        assert server.poll() is None, log.read_text("utf-8")
        assert time.monotonic() < ends, log.read_text("utf-8")
        try:
            if http.get("/healthz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)


def test_a_document_that_is_being_read_keeps_no_stop_waiting(tmp_path: Path, model_store: ModelStore) -> None:
    slow = "import sys, time; from ui.cli import main; from kernel.library.library import Library; "
    slow += "Library.upload = lambda *given, **more: time.sleep(600); sys.exit(main(sys.argv[1:]))"
    port = free_port()
    settings = {"TEKIO_CACHE": str(model_store.cache), "TEKIO_STOP_SECONDS": "1"}
    command = [sys.executable, "-c", slow, "serve", "--port", str(port)]
    log = tmp_path / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, **settings}, stdout=out, stderr=out
        ) as server,
    ):
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=1) as http:
                wait_for(http, server, log)
                with contextlib.suppress(httpx.ReadTimeout):
                    http.post("/v1/documents", files={"files": ("a.md", b"# A")})
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0, log.read_text("utf-8")
        finally:
            if server.poll() is None:
                server.kill()
