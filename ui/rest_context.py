"""The trace that a request belongs to, by its W3C header `traceparent`."""

from __future__ import annotations

from opentelemetry import context as contexts
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from kernel.tracing import incoming


class TraceContext:
    """ASGI middleware in whose requests the steps of a question are below the caller's span."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through in the context that it names."""
        headers = Headers(scope=scope) if scope["type"] == "http" else {}
        if "traceparent" not in headers:
            await self._app(scope, receive, send)
            return
        token = contexts.attach(incoming(headers))
        try:
            await self._app(scope, receive, send)
        finally:
            contexts.detach(token)
