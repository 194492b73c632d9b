"""All that is attached: connected at once, each within its own time, in an event loop apart.

Apart, since a server is of one event loop while questions come from several, and since one that floods its
connection must not hold up an answer.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from plugins.external.attachment import Attachment
from plugins.external.offered import FunctionFailedError, Loaded, OfferedFunction, plain_name

RETRY_SECONDS = 60.0
"""How long a server that could not be connected is left alone."""
_MORE_SECONDS = 1.0
T = TypeVar("T")


class Source(Protocol):
    """An attachment at work."""

    async def load(self) -> Loaded:
        """Return what it offers."""

    async def close(self) -> None:
        """Let go of it."""


@dataclass(frozen=True, slots=True)
class AttachedState:
    """What became of an attachment. `error` is empty where it works; `missing` are allowed but not offered."""

    attachment: Attachment
    functions: tuple[OfferedFunction, ...] = ()
    others: tuple[str, ...] = ()
    unusable: Mapping[str, str] | None = None
    missing: tuple[str, ...] = ()
    error: str = ""
    ms: float = 0.0


class AttachedFunctions:
    """The functions of all attachments. Making it is cheap; `states` connects."""

    def __init__(
        self, attachments: Sequence[Attachment], environment: Mapping[str, str] | None = None
    ) -> None:
        """Make it.

        Args:
            attachments: what is attached.
            environment: where secrets are read from; None is that of the process.
        """
        self._attachments = tuple(attachments)
        self._environment = os.environ if environment is None else environment
        self._sources: dict[str, Source] = {}
        self._states: dict[str, AttachedState] = {}
        self._tried: dict[str, float] = {}
        self._loop: _LoopApart | None = None
        self._starting = threading.Lock()

    async def functions(self) -> list[OfferedFunction]:
        """Return every function that can be called now."""
        return [function for state in await self.states() for function in state.functions]

    async def states(self) -> list[AttachedState]:
        """Connect what is not connected, all at once, and return how each stands. Never raises, never waits long."""
        if not self._attachments:
            return []
        with self._starting:
            self._loop = self._loop or _LoopApart()
        await asyncio.gather(*(self._connect(each) for each in self._attachments if self._is_due(each)))
        return [self._states[each.name] for each in self._attachments]

    def _is_due(self, attachment: Attachment) -> bool:
        state = self._states.get(attachment.name)
        if state is None:
            return True
        return bool(state.error) and time.monotonic() - self._tried[attachment.name] > RETRY_SECONDS

    async def _connect(self, attachment: Attachment) -> None:
        started = time.perf_counter()
        try:
            loaded = await self._apart(self._load, attachment, seconds=2 * attachment.seconds)
        except FunctionFailedError as error:
            state = AttachedState(attachment, error=str(error))
        else:
            offered = {function.name for function in loaded.functions} | set(loaded.unusable)
            state = AttachedState(
                attachment,
                tuple(self._from_here(function) for function in loaded.functions),
                tuple(loaded.others),
                loaded.unusable,
                tuple(each for each in attachment.allow if not {each, plain_name(each)} & offered),
            )
        self._tried[attachment.name] = time.monotonic()
        ms = round(1000 * (time.perf_counter() - started), 1)
        self._states[attachment.name] = replace(state, ms=ms)

    async def _load(self, attachment: Attachment) -> Loaded:
        source = self._sources.get(attachment.name)
        if source is None:
            source = self._sources[attachment.name] = _source_of(attachment, self._environment)
        return await source.load()

    def _from_here(self, function: OfferedFunction) -> OfferedFunction:
        async def call(arguments: Mapping[str, Any]) -> str:
            return await self._apart(function.call, arguments, seconds=function.seconds)

        return replace(function, call=call)

    async def _apart(self, work: Callable[..., Awaitable[T]], *arguments: Any, seconds: float) -> T:
        """Run work in the loop apart; wait for it no longer than so many seconds and a little."""
        assert self._loop is not None
        try:
            return await asyncio.wait_for(self._loop.start(work, *arguments), seconds + _MORE_SECONDS)
        except TimeoutError:
            raise FunctionFailedError(f"no answer within {seconds:g} s") from None

    def close(self) -> None:
        """End every connection and program. Blocks, for some seconds at most."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.close([source.close for source in self._sources.values()])
        self._sources.clear()
        self._states.clear()


class _LoopApart:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        from anyio.from_thread import start_blocking_portal

        self._context = start_blocking_portal("asyncio", name="tekio-functions")
        self._portal = self._context.__enter__()

    def start(self, work: Callable[..., Awaitable[T]], *arguments: Any) -> asyncio.Future[T]:
        """Begin work there; what is returned can be awaited here, and cancels it."""
        return asyncio.wrap_future(self._portal.start_task_soon(work, *arguments))

    def close(self, closing: Sequence[Callable[[], Awaitable[None]]]) -> None:
        """Close what is there, then the loop."""

        async def close_all() -> None:
            await asyncio.gather(*(close() for close in closing), return_exceptions=True)

        with suppress(Exception):
            self._portal.call(close_all)
        self._context.__exit__(None, None, None)


def secret(name: str, environment: Mapping[str, str]) -> str:
    """Return the value of an environment variable that holds a secret.

    Raises:
        FunctionFailedError: it is not set, or holds what no header can.
    """
    value = environment.get(name, "").strip()
    if not value:
        raise FunctionFailedError(f"the environment variable {name} is not set")
    if not value.isascii() or not value.isprintable():
        raise FunctionFailedError(f"the environment variable {name} holds characters that cannot be sent")
    return value


def _source_of(attachment: Attachment, environment: Mapping[str, str]) -> Source:
    headers = {name: secret(variable, environment) for name, variable in attachment.headers_env.items()}
    if attachment.openapi:
        from plugins.external.openapi_source import OpenApiSource

        return OpenApiSource(attachment, headers)
    from plugins.external.mcp_source import McpSource  # the package takes a second to import

    return McpSource(attachment, headers, {name: secret(name, environment) for name in attachment.env})
