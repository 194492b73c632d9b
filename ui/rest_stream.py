"""Generation that stops when nobody listens any more, as events or as one answer."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fastapi import FastAPI, Response
from sse_starlette import ServerSentEvent
from starlette.requests import Request

from retrieval.errors import TekioError
from ui.rest_errors import body_of, kind_of
from ui.rest_models import ErrorDetail
from ui.views import done_of, view_citation

if TYPE_CHECKING:
    from kernel.answer import Answer, AskEvent

log = logging.getLogger("tekio.rest")

T = TypeVar("T")
E = TypeVar("E", bound="_Event")
_QUEUED_EVENTS = 64
_LAST = ("answer", "done")
"""The events after which a stream of the facade has ended."""


class _Event(Protocol):
    @property
    def type(self) -> str: ...


async def begun(request: Request, ask: Callable[[], AsyncGenerator[E, None]]) -> AsyncGenerator[E, None]:
    """Wait for a stream's first event and return the stream, which ends with `answer` or `done`, or raises.

    The stream runs in a task of its own. The server ends a response whose client left by cancelling it
    again and again, which would also cut down the stream's own cleaning up; the task is cancelled once.

    Raises:
        ClientGoneError: the client closed the connection before it.
        TekioError: what the facade raised before it: the response has not begun, so that it can say so by its status.
    """
    queue: asyncio.Queue[E | Exception] = asyncio.Queue(_QUEUED_EVENTS)
    task = asyncio.create_task(_pump(ask, queue))
    try:
        first = await unless_gone(request, queue.get())
        if isinstance(first, Exception):
            raise first
    except BaseException:
        task.cancel()
        raise
    return _following(first, queue, task)


async def _following(
    first: E, queue: asyncio.Queue[E | Exception], task: asyncio.Task[None]
) -> AsyncGenerator[E, None]:
    item: E | Exception = first
    try:
        while not isinstance(item, Exception):
            yield item
            if item.type in _LAST:
                return
            item = await queue.get()
        raise item
    finally:
        task.cancel()


async def sse_events(stream: AsyncGenerator[AskEvent, None]) -> AsyncIterator[ServerSentEvent]:
    """Turn a stream of the facade into server-sent events; the last is always `done` or `error`."""
    try:
        async with aclosing(stream) as events:
            async for event in events:
                if event.type != "answer":
                    yield _sent(event.type, event.model_dump_json(exclude={"type"}))
                    continue
                for citation in event.answer.citations:
                    yield _sent("citation", view_citation(event.answer, citation).model_dump_json())
                yield _sent("answer", event.answer.model_dump_json())
                yield _sent("done", done_of(event.answer).model_dump_json())
    except Exception as error:
        status, detail = told(error)
        yield _sent("error", json.dumps(body_of(status, detail), ensure_ascii=False))


def told(error: Exception) -> tuple[int, ErrorDetail]:
    """Return what is told of an error in a stream; one that nobody foresaw is logged."""
    status, detail = kind_of(error)
    if status == 500:
        log.error("a stream failed", exc_info=error)
    return status, detail


def _sent(event: str, data: str) -> ServerSentEvent:
    return ServerSentEvent(event=event, data=data)


async def _pump(ask: Callable[[], AsyncGenerator[E, None]], queue: asyncio.Queue[E | Exception]) -> None:
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


def answer_gone(app: FastAPI) -> None:
    """Have an application end the requests of clients that left."""

    @app.exception_handler(ClientGoneError)
    async def _gone(_request: Request, _error: ClientGoneError) -> Response:
        return Response(status_code=499)  # nobody reads it; the number is nginx's for this


async def answer_unless_gone(request: Request, ask: Callable[[], AsyncGenerator[AskEvent, None]]) -> Answer:
    """Wait for the whole answer, and stop the generation when the client closes the connection.

    Raises:
        ClientGoneError: it did.
        TekioError: what the facade raised.
    """
    return await unless_gone(request, _last_answer(ask))


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Wait for some work, which is cancelled when the client closes the connection.

    Raises:
        ClientGoneError: it did.
    """
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
