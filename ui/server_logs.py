"""The log of a server, on standard error: lines for people, or one JSON document each."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ui.plaintext import one_line
from ui.redaction import Redaction

if TYPE_CHECKING:
    from kernel.settings import Settings

_PLAIN = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_SECRETS = ("PGPASSWORD", "QDRANT_API_KEY")


def redaction_of(settings: Settings) -> Redaction:
    """Return what the settings keep out of logs; secrets that are known by name are always kept out."""
    return Redaction(set(_secrets(settings)), personal=settings.redact_logs)


def configure_logs(settings: Settings, redaction: Redaction) -> None:
    """Have all that is logged in this process go where and as the settings say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter((JsonLines if settings.log_format == "json" else PlainLines)(redaction))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)


class PlainLines(logging.Formatter):
    """A line for people, with the traceback below it where there is one."""

    def __init__(self, redaction: Redaction) -> None:
        super().__init__(_PLAIN)
        self._redaction = redaction

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """Return the first line of a record; its time is no number to take out."""
        # A line end in it, as in the address of a request, would begin what looks like a line of its own.
        record.message = self._redaction(one_line(record.message))
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the library's name
        """Return a traceback."""
        return self._redaction(super().formatException(ei))


class JsonLines(logging.Formatter):
    """One JSON document a line; `request` has the figures of a request."""

    def __init__(self, redaction: Redaction) -> None:
        super().__init__()
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redaction(one_line(record.getMessage())),
        }
        if record.exc_info:
            line["exception"] = self._redaction(self.formatException(record.exc_info))
        request = getattr(record, "request", None)
        if isinstance(request, dict):
            line["request"] = {
                name: self._redaction(value) if isinstance(value, str) else value
                for name, value in request.items()
                if name != "at"
            }
        return json.dumps(line, ensure_ascii=False)


def _secrets(settings: Settings) -> Iterator[str]:
    engines = (variant.key for variant in settings.variants.values() if variant.key)
    functions = (name for each in settings.functions for name in each.headers_env.values())
    for name in (*_SECRETS, *engines, *functions):
        if value := os.environ.get(name):
            yield value
