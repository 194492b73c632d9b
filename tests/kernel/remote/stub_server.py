"""A server that speaks the OpenAI protocol as a test tells it to, over real HTTP."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[["Call"], None]


class GoneError(Exception):
    """The client closed the connection."""


class Call:
    """One request, and the ways to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: Any) -> None:
        self._handler = handler
        self.path = handler.path
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = body

    def send(self, status: int, text: str, *, kind: str = "application/json", **headers: str) -> None:
        """Answer with one body."""
        data = text.encode()
        self._handler.send_response(status)
        self._handler.send_header("Content-Type", kind)
        self._handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()
        self._handler.wfile.write(data)

    def error(self, status: int, message: str, **headers: str) -> None:
        """Answer with an error in the protocol's form."""
        self.send(status, json.dumps({"error": {"message": message, "type": "x"}}), **headers)

    def begin(self) -> None:
        """Begin a stream, which ends with the connection."""
        self._handler.send_response(200)
        self._handler.send_header("Content-Type", "text/event-stream")
        self._handler.send_header("Connection", "close")
        self._handler.end_headers()

    def event(self, data: str) -> None:
        """Send one event."""
        try:
            self._handler.wfile.write(f"data: {data}\n\n".encode())
            self._handler.wfile.flush()
        except OSError as error:
            raise GoneError from error

    def chunk(self, **given: Any) -> None:
        """Send one piece: `text`, `finish`, `usage`."""
        piece: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        if "usage" in given:
            piece |= {"choices": [], "usage": given["usage"]}
        else:
            delta = {"content": given["text"]} if "text" in given else {}
            piece["choices"] = [{"index": 0, "delta": delta, "finish_reason": given.get("finish")}]
        self.event(json.dumps(piece))

    def write(self, *texts: str, finish: str = "stop", usage: tuple[int, int] | None = (11, 7)) -> None:
        """Answer with a whole stream."""
        self.begin()
        for text in texts:
            self.chunk(text=text)
        self.chunk(finish=finish)
        if usage is not None:
            self.chunk(usage={"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": 0})
        self.event("[DONE]")

    def break_off(self) -> None:
        """Close the connection as a process does that dies."""
        self._handler.connection.shutdown(socket.SHUT_RDWR)

    def wait_gone(self, seconds: float) -> bool:
        """Wait until the client has closed the connection; say whether it has."""
        self._handler.connection.settimeout(seconds)
        try:
            return len(self._handler.connection.recv(1)) == 0
        except TimeoutError:
            return False
        except OSError:
            return True


class Stub:
    """The server. `script` answers each request for a chat; `calls` are those that came."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.script: Script = lambda call: call.write("Hello", " there.")
        self.models = ["m", "m-surgery"]
        self.calls: list[Call] = []
        self.gone = threading.Event()

    def wait_calls(self, count: int) -> None:
        """Wait until some requests have come."""
        while len(self.calls) < count:
            time.sleep(0.01)


@contextmanager
def served() -> Iterator[Stub]:
    """Serve a stub on a free port."""
    held: list[Stub] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

        def do_GET(self) -> None:
            listed = [
                {"id": name, "object": "model", "created": 1, "owned_by": "x"} for name in held[0].models
            ]
            Call(self, None).send(200, json.dumps({"object": "list", "data": listed}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            call = Call(self, body)
            held[0].calls.append(call)
            self.close_connection = True
            try:
                held[0].script(call)
            except GoneError:
                held[0].gone.set()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    held.append(Stub(f"http://127.0.0.1:{server.server_address[1]}/v1"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield held[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def in_turn(*scripts: Script) -> Script:
    """Answer each request by the next script, the last for all that follow."""
    left = list(scripts)

    def run(call: Call) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(call)

    return run


def endless(call: Call) -> None:
    """Write until the client leaves."""
    call.begin()
    for number in range(100_000):
        call.chunk(text=f" w{number}")
        time.sleep(0.005)
