"""A server that stops: answers under way are finished, or end with an error that says so, and never just break off."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from types import FrameType
from typing import Any, TypeVar

import uvicorn

from retrieval.errors import TekioError
from ui.connections import Watch

T = TypeVar("T")
INTERRUPTED_SECONDS = 2.0
"""How long answers may still take at Ctrl-C, where a person waits for the prompt."""
_CLOSING_SECONDS = 3
_LAST_SECONDS = 3
"""How long threads may take to end after the last answer; what they write is whole whenever they are cut off."""
_WAITING_EVENTS = 64


class StoppedError(TekioError):
    """The server stops before an answer was complete."""

    def __init__(self) -> None:
        super().__init__("the server was stopped before the answer was complete: ask again")


class _End:
    """Marks the end of a stream, or carries what ended it."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class Stopping:
    """Ends the streams that are under way some time after the server was told to stop."""

    def __init__(self) -> None:
        self._streams: set[asyncio.Queue[Any]] = set()
        self._is_over = False

    def begin(self, seconds: float) -> None:
        """Give what is under way so many seconds from now; call it in the event loop."""
        asyncio.get_running_loop().call_later(seconds, self._cut)

    def _cut(self) -> None:
        self._is_over = True
        for stream in self._streams:
            stream.put_nowait(_End(StoppedError()))

    async def watched(self, events: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """Pass on a stream, which raises `StoppedError` when the time is over.

        The stream runs in a task of its own: only so can it be left while it waits. It is some events ahead of its
        reader at most, so that one who reads nothing fills no memory.
        """
        queue: asyncio.Queue[T | _End] = asyncio.Queue()
        room = asyncio.Semaphore(_WAITING_EVENTS)  # not the queue's own size: its end always finds room
        self._streams.add(queue)
        task = asyncio.create_task(_pump(events, queue, room))
        try:
            if self._is_over:
                raise StoppedError
            while True:
                item = await queue.get()
                if not isinstance(item, _End):
                    room.release()
                    yield item
                elif item.error is not None:
                    raise item.error
                else:
                    return
        finally:
            self._streams.discard(queue)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _pump(
    events: AsyncGenerator[T, None], queue: asyncio.Queue[T | _End], room: asyncio.Semaphore
) -> None:
    try:
        async with aclosing(events) as stream:
            async for event in stream:
                await room.acquire()
                queue.put_nowait(event)
    except Exception as error:
        queue.put_nowait(_End(error))
    else:
        queue.put_nowait(_End())


class Server(uvicorn.Server):
    """Uvicorn's server, which tells streams when they have to end, and has its connections looked at."""

    def __init__(self, config: uvicorn.Config, stopping: Stopping, seconds: float, watch: Watch) -> None:
        """Prepare to serve.

        Args:
            config: of uvicorn, whose connections are `ui.connections.Connection`.
            stopping: is told when the server stops.
            seconds: that answers may still take then.
            watch: cuts connections.
        """
        super().__init__(config)
        config.timeout_graceful_shutdown = int(max(seconds, INTERRUPTED_SECONDS)) + _CLOSING_SECONDS
        self._stopping = stopping
        self._seconds = seconds
        self._watch = watch

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal comes, and return then, so that what was opened is closed."""

        def stop(_sig: int, _frame: FrameType | None) -> None:
            # Uvicorn raises the signal again when all is over; by itself that would end the process there and then.
            self.should_exit = True

        before = signal.signal(signal.SIGTERM, stop)
        try:
            super().run(sockets)
        finally:
            signal.signal(signal.SIGTERM, before)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal comes."""
        await super().serve(sockets)
        if not self.started:
            return
        # A thread in the middle of something long, as an ingest, is waited for by nobody.
        last = threading.Timer(_LAST_SECONDS, os._exit, [0])
        last.daemon = True
        last.start()

    async def on_tick(self, counter: int) -> bool:
        """Do what is done again and again."""
        self._watch.look(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note how the server is asked to stop."""
        if sig == signal.SIGINT:
            self._seconds = min(self._seconds, INTERRUPTED_SECONDS)
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take on nothing more, and wait for what is under way."""
        self._stopping.begin(self._seconds)
        await super().shutdown(sockets)


def leave_streams_to_end() -> None:
    """Have the library of server-sent events not cut streams at the first sign of a stop."""
    from sse_starlette.sse import AppStatus

    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]
