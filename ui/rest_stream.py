"""Generation that stops when nobody listens any more, as events or as one answer."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from sse_starlette import ServerSentEvent
from starlette.requests import Request

from retrieval.errors import TekioError
from ui.rest_errors import body_of, kind_of

if TYPE_CHECKING:
    from kernel.answer import Answer, AskEvent

log = logging.getLogger("tekio.rest")

T = TypeVar("T")
_QUEUED_EVENTS = 64


async def begun_events(
    request: Request, ask: Callable[[], AsyncGenerator[AskEvent, None]]
) -> AsyncIterator[ServerSentEvent]:
    """Wait for a stream's first event and return the stream; see `sse_events`.

    Raises:
        ClientGoneError: the client closed the connection before it.
        TekioError: what the facade raised before it: the response has not begun, so that it can say so by its status.
    """
    queue: asyncio.Queue[AskEvent | Exception] = asyncio.Queue(_QUEUED_EVENTS)
    task = asyncio.create_task(_pump(ask, queue))
    try:
        first = await _unless_gone(request, queue.get())
        if isinstance(first, Exception):
            raise first
    except BaseException:
        task.cancel()
        raise
    return sse_events(first, queue, task)


async def sse_events(
    first: AskEvent, queue: asyncio.Queue[AskEvent | Exception], task: asyncio.Task[None]
) -> AsyncIterator[ServerSentEvent]:
    """Turn a stream of the facade into server-sent events; the last is always `answer` or `error`.

    The stream runs in a task of its own. The server ends a response whose client left by cancelling it
    again and again, which would also cut down the stream's own cleaning up; the task is cancelled once.
    """
    item: AskEvent | Exception = first
    try:
        while True:
            if isinstance(item, Exception):
                status, detail = kind_of(item)
                if status == 500:
                    log.error("a stream failed", exc_info=item)
                yield ServerSentEvent(event="error", data=json.dumps(body_of(detail), ensure_ascii=False))
                return
            if item.type == "answer":
                yield ServerSentEvent(event="answer", data=item.answer.model_dump_json())
                return
            yield ServerSentEvent(event=item.type, data=item.model_dump_json(exclude={"type"}))
            item = await queue.get()
    finally:
        task.cancel()


async def _pump(
    ask: Callable[[], AsyncGenerator[AskEvent, None]], queue: asyncio.Queue[AskEvent | Exception]
) -> None:
    try:
        async with aclosing(ask()) as events:
            async for event in events:
                await queue.put(event)
    except Exception as error:
        await queue.put(error)
    else:
        # Read only when no answer came before it.
        await queue.put(TekioError("the answer ended before it was complete; ask again"))


class ClientGoneError(Exception):
    """The client closed the connection before its answer was ready."""


async def answer_unless_gone(request: Request, ask: Callable[[], AsyncGenerator[AskEvent, None]]) -> Answer:
    """Wait for the whole answer, and stop the generation when the client closes the connection.

    Raises:
        ClientGoneError: it did.
        TekioError: what the facade raised.
    """
    return await _unless_gone(request, _last_answer(ask))


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_until_disconnected(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGoneError
    finally:
        for task in (working, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _last_answer(ask: Callable[[], AsyncGenerator[AskEvent, None]]) -> Answer:
    async with aclosing(ask()) as events:
        async for event in events:
            if event.type == "answer":
                return event.answer
    raise TekioError("the answer ended before it was complete; ask again")


async def _until_disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
