"""Clients that behave badly, over raw sockets against a real process."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
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
    folder = tmp_path_factory.mktemp("impatient")
    seconds = {"TEKIO_UNREAD_SECONDS": str(SECONDS), "TEKIO_REQUEST_SECONDS": str(SECONDS)}
    with process_of(ENDLESS, folder, **seconds) as (_, base):
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


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", b""),
        (b"POST /v1/ask HTTP/1.1\r\nHost: local", b"408"),
        (request("/v1/ask", STREAM)[:-5], b"408"),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /he", b"200 OK"),
    ],
    ids=["nothing", "half a head", "half a body", "half a second request"],
)
def test_a_request_that_does_not_come_is_not_waited_for(impatient: str, sent: bytes, said: bytes) -> None:
    began = time.monotonic()
    answered = b""
    with connected(impatient, sent) as raw, suppress(ConnectionResetError):
        while piece := raw.recv(2**16):
            answered += piece
    assert SECONDS / 2 < time.monotonic() - began < 10
    assert said in answered


def test_a_body_that_comes_slowly_but_comes_is_waited_for(impatient: str) -> None:
    whole = request("/v1/search", {"query": "How long?"})
    with connected(impatient, whole[:-12]) as raw:
        for place in range(12, 0, -3):
            time.sleep(SECONDS / 2)
            raw.sendall(whole[-place : 3 - place or None])
        assert raw.recv(2**16).startswith(b"HTTP/1.1 200")


def test_a_head_that_comes_letter_by_letter_is_not_waited_for(impatient: str) -> None:
    began = time.monotonic()
    with connected(impatient) as raw, pytest.raises(ConnectionError):
        for letter in b"GET /healthz HTTP/1.1\r\nX-Slow: " + b"x" * 1000:
            raw.sendall(bytes([letter]))
            time.sleep(0.1)
    assert time.monotonic() - began < 10


@pytest.fixture
def many() -> int:
    """A thousand, where this process may open as many connections."""
    resource = pytest.importorskip("resource", reason="this system counts open files otherwise")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2000
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"this process may open {hard} files, {needed} are needed")
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return 1000


def test_a_thousand_idle_connections_keep_nobody_waiting(tmp_path: Path, many: int) -> None:
    script = Path(__file__).with_name("slow_server.py")
    few_files = ("sh", "-c", 'ulimit -S -n 256; exec "$@"', "sh")  # of which the server asks for more
    heads = (b"", b"GET /healthz HTTP/1.1\r\nHost: local")
    with process_of(script, tmp_path, *few_files, SECONDS="0.3") as (_, base), ExitStack() as stack:
        idle = [stack.enter_context(connected(base, heads[number % 2])) for number in range(many - 20)]
        began = time.monotonic()
        assert httpx.get(f"{base}/healthz", timeout=5).status_code == 200
        assert httpx.get(f"{base}/readyz", timeout=5).status_code == 200
        asked = httpx.post(f"{base}/v1/ask", json=STREAM, timeout=10).text
        assert "event: done" in asked
        assert time.monotonic() - began < 5
        assert not any(is_closed(each) for each in idle)
        # Where there are too many, the oldest go, but none whose request is under way.
        with httpx.stream("POST", f"{base}/v1/ask", json=STREAM, timeout=10) as streamed:
            idle += [stack.enter_context(connected(base)) for _ in range(300)]
            until(lambda: sum(is_closed(each) for each in idle[:300]) >= 250)
            assert "event: done" in "".join(streamed.iter_text())
        assert not any(is_closed(each) for each in idle[-300:])
        assert httpx.get(f"{base}/healthz", timeout=5).status_code == 200


def is_closed(raw: socket.socket) -> bool:
    raw.setblocking(False)
    try:
        return not raw.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
