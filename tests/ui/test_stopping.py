"""A real process is told to stop while answers are under way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from evaluation.benchmarks.own_server import ROOT, free_port

SCRIPT = Path(__file__).with_name("slow_server.py")
BODY = {"question": "How long?", "stream": True}


@contextmanager
def server(folder: Path, *, answer: float, stop: float) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server whose answers take some seconds, and which gives them some when it is stopped."""
    with process_of(SCRIPT, folder, SECONDS=str(answer), TEKIO_STOP_SECONDS=str(stop)) as served:
        yield served


@contextmanager
def process_of(
    script: Path, folder: Path, *before: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A script's server in a process of its own, and its address; `before` runs it where it is not Python itself."""
    port = free_port()
    process = subprocess.Popen(
        [*before, sys.executable, str(script), "serve", "--port", str(port)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{base}/healthz", timeout=5)
                break
            except httpx.HTTPError:
                assert time.monotonic() < end
                assert process.poll() is None
                time.sleep(0.1)
        yield process, base
    finally:
        process.kill()
        process.wait(20)


def names(lines: list[str]) -> list[str]:
    return [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]


def stopped_in_a_stream(process: subprocess.Popen[bytes], base: str, sign: signal.Signals) -> list[str]:
    """Send a signal when the first token has come; return all lines that came."""
    lines: list[str] = []
    with httpx.stream("POST", f"{base}/v1/ask", json=BODY, timeout=60) as response:
        for line in response.iter_lines():
            if line == "event: token" and "event: token" not in lines:
                process.send_signal(sign)
            lines.append(line)
    return lines


def test_an_answer_that_is_under_way_is_finished_and_no_other_is_begun(tmp_path: Path) -> None:
    with server(tmp_path, answer=3, stop=30) as (process, base):
        late: list[object] = []

        def ask_late() -> None:
            time.sleep(1.5)
            try:
                late.append(httpx.get(f"{base}/healthz", timeout=5).status_code)
            except httpx.HTTPError as error:
                late.append(type(error))

        asking = threading.Thread(target=ask_late)
        asking.start()
        lines = stopped_in_a_stream(process, base, signal.SIGTERM)
        asking.join()
        assert names(lines)[-1] in ("answer", "done"), lines
        assert names(lines).count("token") == 9
        assert late == [httpx.ConnectError]
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("sign", "stop"), [(signal.SIGTERM, 1.0), (signal.SIGINT, 600.0)], ids=["service manager", "Ctrl-C"]
)
def test_an_answer_that_takes_too_long_ends_with_an_error_that_says_so(
    tmp_path: Path, sign: signal.Signals, stop: float
) -> None:
    with server(tmp_path, answer=600, stop=stop) as (process, base):
        whole: list[httpx.Response] = []
        body = BODY | {"stream": False}
        asking = threading.Thread(
            target=lambda: whole.append(httpx.post(f"{base}/v1/ask", json=body, timeout=60))
        )
        asking.start()
        chat: list[httpx.Response] = []
        said = {"model": "base", "messages": [{"role": "user", "content": "How long?"}], "stream": True}
        chatting = threading.Thread(
            target=lambda: chat.append(httpx.post(f"{base}/v1/chat/completions", json=said, timeout=60))
        )
        chatting.start()
        time.sleep(0.5)
        began = time.monotonic()
        lines = stopped_in_a_stream(process, base, sign)
        asking.join()
        chatting.join()
        assert names(lines)[-1] == "error", lines
        assert "the server was stopped" in "".join(lines[-4:])
        assert "the server was stopped" in chat[0].text.strip().splitlines()[-1]
        assert whole[0].status_code == 503
        assert "ask again" in whole[0].text
        process.wait(10)
        assert time.monotonic() - began < 12
