"""Bodies of JSON are JSON before anything is made of them: whole characters, real numbers, and not too deep."""

from __future__ import annotations

import json
import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.rest_errors import error_response
from ui.rest_models import ErrorDetail

DEEPEST = 100
"""Lists and objects within each other; what looks into them goes down by calls of its own."""
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


class JsonBodies:
    """ASGI middleware that refuses bodies which are said to be JSON and are none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with what is wrong with its body."""
        if scope["type"] != "http" or not _is_json(Headers(scope=scope).get("content-type", "")):
            await self._app(scope, receive, send)
            return
        pieces: list[bytes] = []
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":  # the client left
                return
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
        body = b"".join(pieces)
        wrong = fault(body)
        if wrong:
            detail = ErrorDetail(type="bad_json", message=wrong)
            await error_response(400, detail, path=scope["path"])(scope, receive, send)
            return
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)


def fault(body: bytes) -> str:
    """Return what is wrong with a body; empty for nothing, and where there is none."""
    if not body:
        return ""
    try:
        # Decoded here, since bytes would be taken in other codes as well, and with halves of characters among them.
        value = json.loads(body.decode("utf-8-sig"), parse_constant=_refused)
        if _HALF.search(body):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "the body holds half of a character (\\ud800 to \\udfff by itself): send whole characters"
    except (ValueError, RecursionError):
        return "the body is not valid JSON"
    if _depth(value) > DEEPEST:
        return f"the body has lists and objects within each other {DEEPEST} times and more: send it flatter"
    return ""


def _refused(name: str) -> None:
    raise ValueError(name)


def _depth(value: object) -> int:
    """Return how deep lists and objects stand within each other."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, list | dict)]:
        depth += 1
        level = [item for each in level for item in (each.values() if isinstance(each, dict) else each)]
    return depth


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
