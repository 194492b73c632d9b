"""What a request must be before the API looks at it: for us, from us, and not too large.

A browser lets any page on the web send requests to 127.0.0.1. Two checks keep such pages out. The Host
header must name this service: a page that points its own domain at 127.0.0.1 (DNS rebinding) sends that
domain. An Origin header, which browsers add to what scripts send, must name the same host and port.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.rest_errors import error_response
from ui.rest_models import ErrorDetail

MAX_BODY_BYTES = 1_000_000
UPLOADS = ("POST", "/v1/documents")
_FORM_BYTES = 100_000
"""What a form adds to the files in it."""


class Guard:
    """ASGI middleware that refuses strangers and large bodies.

    `allowed_hosts` are host names without a port. `localhost` and addresses written as numbers are always
    allowed: a page cannot make its own name into either. `origins` are web sites whose pages may send requests,
    `upload_bytes` is what uploads may have.
    """

    def __init__(
        self,
        app: ASGIApp,
        allowed_hosts: Collection[str] = (),
        origins: Collection[str] = (),
        upload_bytes: int = 0,
    ) -> None:
        self._app = app
        self._upload_bytes = upload_bytes
        self._origins = {origin.lower() for origin in origins}
        self._allowed = {"localhost", *(host.lower() for host in allowed_hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with the reason why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(headers)
        if refusal is not None:
            await error_response(*refusal, path=scope["path"])(scope, receive, send)
            return
        limit = MAX_BODY_BYTES
        if (scope["method"], scope["path"]) == UPLOADS:
            limit = max(limit, self._upload_bytes + _FORM_BYTES)
        too_large = ErrorDetail(type="too_large", message=_too_large(limit))
        body = _LimitedBody(receive, limit)
        if body.declared_too_large(headers):
            await error_response(413, too_large, path=scope["path"])(scope, receive, send)
            return

        async def send_unless_exceeded(message: Message) -> None:
            # The application answers a body it could not read in its own way; the reason is known here.
            if not body.exceeded:
                await send(message)

        with suppress(_BodyTooLargeError):
            await self._app(scope, body.receive, send_unless_exceeded)
        if body.exceeded:
            await error_response(413, too_large, path=scope["path"])(scope, receive, send)

    def _refusal(self, headers: Headers) -> tuple[int, ErrorDetail] | None:
        host = headers.get("host", "")
        name = _host_name(host)
        if not (name in self._allowed or _is_address(name)):
            message = f"the host name '{name[:100]}' is not served here; serve --allowed-host adds it"
            return 400, ErrorDetail(type="host_refused", message=message)
        origin = headers.get("origin")
        if origin is not None and origin.lower() in self._origins:
            foreign = False
        elif origin is not None:
            foreign = urlsplit(origin).netloc.lower() != host.lower()
        else:  # a link that a person follows may come from anywhere; it reads nothing
            foreign = (
                headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate"
            )
        if foreign:
            message = "requests from other web sites are not served"
            return 403, ErrorDetail(type="origin_refused", message=message)
        return None


def _too_large(limit: int) -> str:
    if limit == MAX_BODY_BYTES:
        return f"the body is larger than {limit:,} bytes"
    return f"the upload is larger than {limit:,} bytes: send fewer files at once, or raise max_upload_mb"


class _BodyTooLargeError(Exception):
    """Leaves the application while it reads a body that does not end."""


class _LimitedBody:
    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._seen = 0
        self.exceeded = False

    def declared_too_large(self, headers: Headers) -> bool:
        length = headers.get("content-length", "")
        return length.isdigit() and int(length) > self._limit

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._seen += len(message.get("body", b""))
            if self._seen > self._limit:
                self.exceeded = True
                raise _BodyTooLargeError
        return message


def _host_name(host: str) -> str:
    """Return a Host header without its port: `localhost:8400` and `[::1]:8400` name `localhost` and `::1`."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
