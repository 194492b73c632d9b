"""Real servers: a FastAPI application, and an MCP server over streamable HTTP."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI, Header, Query, Response
from fastapi.responses import PlainTextResponse, RedirectResponse
from pydantic import BaseModel

MCP_SERVER = Path(__file__).with_name("mcp_server.py")


class Order(BaseModel):
    """What is ordered."""

    part: str
    count: int = 1
    marks: list[str] = []


def workshop() -> FastAPI:
    app = FastAPI()

    @app.get("/parts/{part}", operation_id="get_part")
    def get_part(part: str, spare: bool = False) -> dict[str, object]:
        """Tell about a part."""
        return {"part": part, "spare": spare, "in_stock": 17}

    @app.get("/find", operation_id="find_parts")
    def find_parts(words: list[str] = Query(), spare: bool = False) -> dict[str, object]:
        """Find parts."""
        return {"words": words, "spare": spare}

    @app.post("/orders", operation_id="order")
    def order(body: Order) -> dict[str, object]:
        """Order a part."""
        return {"ordered": body.model_dump()}

    @app.get("/secret", operation_id="whoami")
    def whoami(authorization: str = Header()) -> dict[str, str]:
        """Tell who calls."""
        return {"you": authorization}

    @app.get("/away", operation_id="go_away")
    def go_away() -> RedirectResponse:
        """Send on to another address."""
        return RedirectResponse("http://169.254.169.254/latest/meta-data/")

    @app.get("/huge", operation_id="huge")
    def huge() -> PlainTextResponse:
        """Answer with megabytes."""
        return PlainTextResponse("x" * 3_000_000)

    @app.get("/long", operation_id="long")
    def long() -> PlainTextResponse:
        """Answer with more than is shown."""
        return PlainTextResponse("long " * 4000)

    @app.get("/packed", operation_id="packed")
    def packed() -> Response:
        """Answer with what is small and unpacks to much."""
        import gzip

        return Response(gzip.compress(b"x" * 5_000_000), headers={"Content-Encoding": "gzip"})

    @app.get("/slow", operation_id="slow")
    def slow() -> str:
        """Answer late."""
        time.sleep(4)
        return "late"

    @app.get("/picture", operation_id="picture")
    def picture() -> Response:
        """Answer with a picture."""
        return Response(b"\x89PNG", media_type="image/png")

    return app


@contextmanager
def serve(app: FastAPI) -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            server.force_exit = True
            thread.join(10)


@pytest.fixture(scope="session")
def rest_server() -> Iterator[str]:
    """The address of a FastAPI application."""
    with serve(workshop()) as address:
        yield address


@pytest.fixture(scope="session")
def mcp_url() -> Iterator[str]:
    """The address of an MCP server over streamable HTTP, in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen([sys.executable, str(MCP_SERVER), str(port)]) as process:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
        process.terminate()
