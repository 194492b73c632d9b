"""Clients that behave badly, over raw sockets against a real process."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.ui.endless_server import TOKEN
from tests.ui.test_stopping import process_of

ENDLESS = Path(__file__).with_name("endless_server.py")
STREAM = {"question": "How long?", "stream": True}
SECONDS = 1.0
"""What clients are given in these tests."""


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that gives its clients little time."""
    with process_of(ENDLESS, tmp_path_factory.mktemp("impatient"), TEKIO_UNREAD_SECONDS=str(SECONDS)) as (
        _,
        base,
    ):
        yield base


@contextmanager
def connected(base: str, sent: bytes = b"") -> Iterator[socket.socket]:
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(20)
        raw.connect(("127.0.0.1", int(base.rpartition(":")[2])))
        raw.sendall(sent)
        yield raw


def request(path: str, body: object) -> bytes:
    sent = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(sent)}\r\n\r\n".encode() + sent


def told(base: str) -> dict[str, int]:
    names = httpx.get(f"{base}/v1/variants", timeout=10).json()["variants"]
    return {name: int(count) for name, count in (each.split("-") for each in names if "-" in each)}


def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_stream_that_nobody_reads_holds_little_and_ends(impatient: str) -> None:
    before = told(impatient)
    with connected(impatient, request("/v1/ask", STREAM)) as raw:
        until(lambda: told(impatient)["made"] > before["made"])
        until(lambda: told(impatient)["left"] == before["left"] + 1)
        held = (told(impatient)["made"] - before["made"]) * TOKEN
        assert held < 40 * 2**20  # what the system's buffers take among it
        with pytest.raises(ConnectionResetError):  # cut, not kept open until it would have been read
            while raw.recv(2**20):
                pass
    assert httpx.get(f"{impatient}/healthz", timeout=5).status_code == 200


def test_a_stream_that_is_read_slowly_goes_on(impatient: str) -> None:
    before = told(impatient)
    with connected(impatient, request("/v1/ask", STREAM)) as raw:
        end = time.monotonic() + 4 * SECONDS
        while time.monotonic() < end:
            assert raw.recv(2**18)
            time.sleep(0.05)
        assert told(impatient)["left"] == before["left"]
    until(lambda: told(impatient)["left"] == before["left"] + 1)
