"""The audit log: who asked what, and which documents were shown to them; a line of JSON for each request.

A route says what it shows by `note_shown`; the line is written when the request has ended, also of a stream that was
broken off. What needs no key, as /healthz, has no line.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kernel.answer import AskEvent, PassagesEvent
from retrieval.errors import TekioError
from ui.identity import IDENTITY, Identity
from ui.redaction import Redaction

log = logging.getLogger("tekio.access")
_NOTES = "tekio.audit"
_REFUSED = (401, 403, 429)
_LONGEST_PATH = 1000


class AuditFile:
    """A file of lines that only its owner may read, which is put aside when it is full."""

    def __init__(self, path: Path, *, most_mb: int, files: int, redaction: Redaction) -> None:
        """Open it.

        Args:
            path: of the file; those that were put aside are beside it, `.1` being the newest.
            most_mb: megabytes from which it is put aside.
            files: how many are kept beside it; older ones are deleted.
            redaction: what stands in no line. Of what tells of persons only questions are rid: who asked is what the
                file is for.

        Raises:
            TekioError: it cannot be written.
        """
        self._redaction = redaction
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handler = _PrivateFile(path, maxBytes=most_mb * 10**6, backupCount=files, encoding="utf-8")
        except OSError as error:
            raise TekioError(f"the audit log {path} cannot be written: {error.strerror or error}") from error

    def write(self, line: dict[str, Any]) -> None:
        """Add a line."""
        if "question" in line:
            line = line | {"question": self._redaction(line["question"])}
        text = self._redaction.without_secrets(json.dumps(line, ensure_ascii=False))
        self._handler.handle(logging.LogRecord("tekio.audit", logging.INFO, "", 0, text, None, None))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()


class _PrivateFile(RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        def private(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        return open(self.baseFilename, "a", encoding="utf-8", opener=private)


@dataclass
class _Notes:
    question: str = ""
    documents: list[str] = field(default_factory=list)


def note_shown(request: HTTPConnection, *, question: str = "", documents: Iterable[str] = ()) -> None:
    """Note for the audit log what was asked, and the names of documents of which something is shown."""
    notes: _Notes | None = request.scope.get(_NOTES)
    if notes is not None:
        notes.question = question or notes.question
        notes.documents = list(dict.fromkeys((*notes.documents, *documents)))


async def noted(
    request: HTTPConnection, events: AsyncGenerator[AskEvent, None]
) -> AsyncGenerator[AskEvent, None]:
    """Pass on a stream of events, noting the documents that it shows."""
    async with aclosing(events) as stream:
        async for event in stream:
            if isinstance(event, PassagesEvent):
                note_shown(request, documents=[passage.document for passage in event.passages])
            yield event


class Audit:
    """ASGI middleware that writes the lines, and one for people into the log."""

    def __init__(self, app: ASGIApp, file: AuditFile | None) -> None:
        """Stand before an application; without a file only the log is told."""
        self._app = app
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 0, time.monotonic()
        notes = scope[_NOTES] = _Notes()

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        finally:
            identity: Identity | None = scope.get(IDENTITY)
            if identity is not None or status in _REFUSED:
                seconds = round(time.monotonic() - began, 3)
                self._write(scope, identity, status, seconds, notes)

    def _write(
        self, scope: Scope, identity: Identity | None, status: int, seconds: float, notes: _Notes
    ) -> None:
        client = scope.get("client")
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "who": identity.name if identity else "",
            "user": identity.caller.user if identity and identity.caller else "",
            "from": client[0] if client else "",
            "method": scope["method"],
            "path": scope["path"][:_LONGEST_PATH],
            "status": status,
            "seconds": seconds,
        }
        log.info("%(method)s %(path)s %(status)d %(seconds)s s %(who)s", line, extra={"request": line})
        if self._file is not None:
            shown = {"question": notes.question, "documents": notes.documents}
            self._file.write(line | {name: value for name, value in shown.items() if value})
