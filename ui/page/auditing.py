"""The page's own audit log: who asked what, and of which documents something was shown; lines as those of the API.

It is a file of its own beside that of the API: the page is a process of its own, and two that put one file aside would
do it under each other's hands.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

from kernel.answer import AnswerEvent, AskEvent, PassagesEvent
from kernel.settings import Settings
from retrieval.access import Caller
from ui.audit import AuditFile
from ui.authentication import of_user
from ui.identity import MACHINE, Identity
from ui.server_logs import redaction_of

_DONE, _FAILED = 200, 500


def page_log(path: Path) -> Path:
    """Return where the page's lines are, given where those of the API are: `audit-page.jsonl` by `audit.jsonl`."""
    return path.with_name(f"{path.stem}-page{path.suffix}")


class PageAudit:
    """Writes the lines, where the settings name a file; can be called in any thread."""

    def __init__(self, settings: Settings) -> None:
        """Open the file.

        Raises:
            TekioError: it cannot be written.
        """
        self._settings = settings
        self._file = None
        if settings.audit_log is not None:
            self._file = AuditFile(
                page_log(settings.audit_log),
                most_mb=settings.audit_log_mb,
                files=settings.audit_log_files,
                redaction=redaction_of(settings),
            )

    def note(
        self,
        what: str,
        caller: Caller | None,
        *,
        client: str = "",
        question: str = "",
        documents: Iterable[str] = (),
        seconds: float = 0.0,
        failed: bool = False,
    ) -> None:
        """Write a line.

        Args:
            what: was done, as `ask` or `document`.
            caller: did it; None is who owns the machine.
            client: address of the browser.
            question: that was asked.
            documents: names of those of which something was shown.
            seconds: it took.
            failed: whether nothing came of it.
        """
        if self._file is None:
            return
        identity = self._identity(caller)
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "who": identity.name,
            "user": caller.user if caller else "",
            "from": client,
            "method": "PAGE",
            "path": f"/page/{what}",
            "status": _FAILED if failed else _DONE,
            "seconds": round(seconds, 3),
        }
        shown = {"question": question, "documents": list(dict.fromkeys(documents))}
        self._file.write(line | {name: value for name, value in shown.items() if value})

    async def noted(
        self, events: AsyncGenerator[AskEvent, None], question: str, caller: Caller | None, client: str
    ) -> AsyncGenerator[AskEvent, None]:
        """Pass on the stream of an answer, and write a line when it has ended, however it has."""
        documents: list[str] = []
        began, failed = time.monotonic(), True
        try:
            async with aclosing(events) as stream:
                async for event in stream:
                    if isinstance(event, PassagesEvent):
                        documents += [passage.document for passage in event.passages]
                    elif isinstance(event, AnswerEvent):
                        documents += [passage.document for passage in event.answer.passages]
                        failed = False
                    yield event
        finally:
            seconds = time.monotonic() - began
            self.note(
                "ask",
                caller,
                client=client,
                question=question,
                documents=documents,
                seconds=seconds,
                failed=failed,
            )

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _identity(self, caller: Caller | None) -> Identity:
        if caller is None:
            return MACHINE
        return of_user(caller, self._settings) if caller.user else Identity(caller, "read", "nobody", "")
