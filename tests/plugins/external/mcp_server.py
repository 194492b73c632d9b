"""A real MCP server for the tests: over stdio, or over streamable HTTP on a port that is given."""

from __future__ import annotations

import os
import sys
import time

from mcp.server.fastmcp import FastMCP
from mcp.types import ImageContent

server = FastMCP("workshop", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000, log_level="ERROR")


@server.tool()
def stock(part: str, service: str = "all") -> str:
    """How many of a part are in stock."""
    return f"{part} ({service}): 17 in stock"


@server.tool()
def flood(bytes_of_it: int = 3_000_000) -> str:
    """Answer with megabytes."""
    return "x" * bytes_of_it


@server.tool()
def hang(seconds: float = 60) -> str:
    """Answer late."""
    time.sleep(seconds)
    return "late"


@server.tool()
def die() -> str:
    """End the server in the middle of a call."""
    print("out of paper", file=sys.stderr, flush=True)
    os._exit(3)


@server.tool()
def refuse() -> str:
    """Fail."""
    raise ValueError("no such drawer")


@server.tool()
def picture() -> ImageContent:
    """Answer with a picture."""
    return ImageContent(type="image", data="aGk=", mimeType="image/png")


@server.tool()
def told(name: str) -> str:
    """Tell an environment variable."""
    return os.environ.get(name, "unset")


@server.tool()
def pid() -> str:
    """Tell the number of the process."""
    return str(os.getpid())


@server.tool()
def unlisted() -> str:
    """Never allowed."""
    return "secret"


if __name__ == "__main__":
    server.run("streamable-http" if len(sys.argv) > 1 else "stdio")
