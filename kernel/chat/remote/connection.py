"""One request to a server: a connection of its own, the pieces of the answer as they come, what each piece must be."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import openai

from kernel.answer import FinishReason
from kernel.chat.generation import Sampling
from kernel.chat.remote.faults import NonsenseError
from kernel.chat.remote.place import Address, TimeLimits
from retrieval.errors import TekioError

_ENDINGS = {"stop": FinishReason.STOP, "eos_token": FinishReason.STOP, "length": FinishReason.LENGTH}
_MOST_LISTED = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer: text, why it ended, or the counts of its tokens; each may be missing."""

    text: str = ""
    finish_reason: FinishReason | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Connector:
    """Makes the client of each request.

    A client of its own for each request is closed with it whatever the request was at, and may be used in any event
    loop. What is costly of a client, the certificates, is shared. The client's own retries are off: it would wait for
    as long as a server that has too much to do tells it to, and cannot know whether a piece was given on already.
    """

    def __init__(self, limits: TimeLimits) -> None:
        self._limits = limits
        self._certificates: ssl.SSLContext | None = None

    @asynccontextmanager
    async def client(self, address: Address) -> AsyncGenerator[openai.AsyncOpenAI, None]:
        """Give the client of one request, closed afterwards."""
        self._certificates = self._certificates or ssl.create_default_context()
        # Silence is measured by who reads the pieces, since it is another span for the first of them.
        timeout = openai.Timeout(self._limits.whole, connect=self._limits.connect)
        http = openai.DefaultAsyncHttpxClient(
            verify=self._certificates, trust_env=not address.is_here, timeout=timeout, follow_redirects=False
        )
        made = openai.AsyncOpenAI(
            api_key=address.key, base_url=address.url, max_retries=0, timeout=timeout, http_client=http
        )
        # The environment's are of one provider, and none of another's business.
        made.organization = made.project = None
        async with made:
            yield made


async def pieces_of(
    client: openai.AsyncOpenAI,
    address: Address,
    messages: Sequence[Mapping[str, str]],
    sampling: Sampling,
) -> AsyncGenerator[Piece, None]:
    """Ask a server, and yield what comes as it comes."""
    extra = dict(address.extra)
    if sampling.repetition_penalty != 1.0:
        extra[address.penalty] = sampling.repetition_penalty
    chosen: Any = {"seed": sampling.seed} if sampling.seed is not None else {}
    stream: Any = await client.chat.completions.create(
        model=address.model,
        messages=list[Any](messages),
        max_tokens=sampling.max_new_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        stream=True,
        stream_options={"include_usage": True},
        extra_body=extra or None,
        **chosen,
    )
    async with stream:
        kind = str(stream.response.headers.get("content-type", "")).partition(";")[0].strip()
        if kind != "text/event-stream":
            raise NonsenseError(f"it sends {kind[:60] or 'data of no kind'}, not text/event-stream")
        async for chunk in stream:
            yield _piece(chunk)


def _piece(chunk: Any) -> Piece:
    """Return what a piece holds. The client takes any JSON for one.

    Raises:
        NonsenseError: it is none.
        TekioError: the server will not give the answer.
    """
    choices, usage = getattr(chunk, "choices", None), getattr(chunk, "usage", None)
    prompt, completion = (_count(usage, name) for name in ("prompt_tokens", "completion_tokens"))
    if not isinstance(choices, list) or (not choices and usage is None and not _is_chunk(chunk)):
        raise NonsenseError("what came holds no choices")
    if not choices:
        return Piece(prompt_tokens=prompt, completion_tokens=completion)
    delta, reason = getattr(choices[0], "delta", None), getattr(choices[0], "finish_reason", None)
    text = getattr(delta, "content", None)
    if not isinstance(text, str | None) or not isinstance(reason, str | None):
        raise NonsenseError("a piece of the answer is no text")
    if reason == "content_filter":
        raise TekioError("the server's content filter held the answer back: ask in other words")
    if reason is not None and reason not in _ENDINGS:
        raise NonsenseError(f"the answer ended with '{reason[:40]}'")
    return Piece(text or "", None if reason is None else _ENDINGS[reason], prompt, completion)


def _is_chunk(chunk: Any) -> bool:
    return getattr(chunk, "object", None) == "chat.completion.chunk"


def _count(usage: Any, name: str) -> int | None:
    count = getattr(usage, name, None)
    return count if isinstance(count, int) and count >= 0 else None


async def models_of(client: openai.AsyncOpenAI) -> str:
    """Return the names of a server's models, for a message; empty where it does not say."""
    try:
        found = [str(model.id) for model in (await client.models.list()).data]
    except (openai.OpenAIError, TypeError, ValueError, AttributeError):
        return ""
    more = f" and {len(found) - _MOST_LISTED} others" if len(found) > _MOST_LISTED else ""
    return ", ".join(found[:_MOST_LISTED]) + more
