"""MCP over HTTP at `/mcp`: the functions of `mcp_functions`, for whoever the door has let in.

Each request stands alone (the protocol's stateless form), so that any of several servers may answer it, and each call
is made with the rights of its own request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from kernel.app import Tekio
from retrieval.access import Caller
from ui.audit import note_shown
from ui.identity import caller_in
from ui.mcp_server import chosen_tools, create_server

PATH = "/mcp"


class McpOverHttp:
    """The application at the address; it answers while `running`."""

    def __init__(self, tekio: Tekio) -> None:
        """Choose the functions.

        Raises:
            UsageError: the setting names one that there is not.
        """
        self._server: Server[Any, Any] = create_server(
            chosen_tools(tekio, tekio.settings.mcp_functions, _OfRequest(self))
        )
        self._manager: StreamableHTTPSessionManager | None = None

    def request(self) -> Request:
        """Return the request of the call that is under way."""
        found = self._server.request_context.request
        assert isinstance(found, Request)
        return found

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer until the end of the block."""
        self._manager = StreamableHTTPSessionManager(self._server, json_response=True, stateless=True)
        async with self._manager.run():
            yield
        self._manager = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self._manager is None:  # the server is about to end
            await Response(status_code=503)(scope, receive, send)
            return
        await self._manager.handle_request(scope, receive, send)


class _OfRequest:
    """Who calls over HTTP: as the door found."""

    def __init__(self, served: McpOverHttp) -> None:
        self._served = served

    def caller(self) -> Caller | None:
        return caller_in(self._served.request())

    def shown(self, question: str, documents: Iterable[str]) -> None:
        note_shown(self._served.request(), question=question, documents=documents)


def add_mcp_route(app: FastAPI, served: McpOverHttp) -> None:
    """Add the address. There are no sessions to listen to or to end, so that it takes POST alone."""
    app.router.routes.append(Route(PATH, served, methods=["POST"]))
