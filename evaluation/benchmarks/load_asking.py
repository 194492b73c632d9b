"""One question over HTTP, as a client asks it: what came back, when, and how often it had to ask again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

BUSY = 429
_MOST_RETRIES = 30
_NO_HINT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to a variant; empty is the server's own."""

    question: str
    variant: str = ""

    def body(self, *, stream: bool) -> dict[str, object]:
        """Return the request: nothing stored is given again, and nothing remembered is recalled."""
        named = {"variant": self.variant} if self.variant else {}
        return {"question": self.question, "cache": False, "memory": False, "stream": stream, **named}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a question.

    `seconds` and `first` (to the first token) count from the first try on, so that waiting to ask again is in them;
    `first` is None where the answer came whole. `busy` counts the times that the server had too much to do. `error` is
    empty for an answer, `echo` is the question that the answer says it is of.
    """

    ask: Ask
    seconds: float
    first: float | None = None
    busy: int = 0
    error: str = ""
    echo: str = ""
    print: str = ""
    tokens: int = 0


async def asked(client: httpx.AsyncClient, ask: Ask, *, stream: bool) -> Reply:
    """Ask until there is an answer or an error that does not pass; wait as long as the server says in between."""
    began, busy = time.perf_counter(), 0
    while True:
        first, answer, error, wait = await _once(client, ask, stream=stream, began=began)
        if error == "busy" and busy < _MOST_RETRIES:
            busy += 1
            await asyncio.sleep(wait)
            continue
        seconds = time.perf_counter() - began
        if answer is None:
            return Reply(ask, seconds, busy=busy, error=error)
        tokens = int(answer.get("usage", {}).get("completion_tokens", 0))
        return Reply(ask, seconds, first, busy, "", str(answer.get("question")), print_of(answer), tokens)


async def _once(
    client: httpx.AsyncClient, ask: Ask, *, stream: bool, began: float
) -> tuple[float | None, Mapping[str, Any] | None, str, float]:
    """Return the seconds to the first token, the answer, what went wrong, and how long to wait after it."""
    try:
        async with client.stream("POST", "/v1/ask", json=ask.body(stream=stream)) as response:
            if response.status_code != 200:
                await response.aread()
                return None, None, *_refusal(response.status_code, response.text, response.headers)
            if not stream:
                return None, json.loads(await response.aread()), "", 0.0
            first: float | None = None
            answer: dict[str, Any] | None = None
            citations = 0
            async for event, data in events_of(response.aiter_lines()):
                if event == "error":
                    return None, None, *_failed(json.loads(data))
                if event in ("token", "answer") and first is None:
                    first = time.perf_counter() - began
                citations += event == "citation"
                if event == "answer":
                    answer = json.loads(data)
                elif event == "done" and answer is not None:
                    whole = citations == len(answer["citations"])
                    return (first, answer, "", 0.0) if whole else (None, None, "events lost", 0.0)
            return None, None, "cut", 0.0
    except httpx.TimeoutException:
        return None, None, "timeout", 0.0
    except (httpx.HTTPError, ValueError) as error:
        return None, None, type(error).__name__, 0.0


async def events_of(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, str]]:
    """Yield the name and the data of server-sent events."""
    name, data = "", []
    async for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif not line and (name or data):
            yield name, "\n".join(data)
            name, data = "", []


def _refusal(status: int, text: str, headers: Mapping[str, str]) -> tuple[str, float]:
    """Return the kind of an error that a status tells, and how long to wait after it."""
    hint = headers.get("retry-after", "")
    wait = float(hint) if hint.isdigit() else _NO_HINT_SECONDS
    if status == BUSY:
        return "busy", wait
    try:
        return f"{status} {json.loads(text)['error']['type']}", wait
    except (ValueError, KeyError, TypeError):
        return str(status), wait


def _failed(body: Mapping[str, Any]) -> tuple[str, float]:
    """Return the kind of an error that an event tells, and how long to wait after it."""
    detail = body.get("error", {})
    return str(detail.get("type", "error")), float(detail.get("retry_after") or _NO_HINT_SECONDS)


def print_of(answer: Mapping[str, Any]) -> str:
    """Return what tells an answer from others: its text and what it cites, to the character."""
    held = {
        "answer": answer.get("answer"),
        "refused": answer.get("refused"),
        "citations": [
            [each.get(name) for name in ("marker", "document", "page", "start", "end", "quote")]
            for each in answer.get("citations", [])
        ],
    }
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()
