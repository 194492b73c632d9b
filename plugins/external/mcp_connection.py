"""A connection to an MCP server: one session in one task, with why it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import anyio
import httpx
from mcp import ClientSession, types
from mcp.shared.exceptions import McpError

from plugins.external.bounded_http import reason_of
from plugins.external.bounded_stdio import StdioProgram
from plugins.external.offered import FunctionFailedError

NO_SESSION = "Session terminated"
"""What the package makes of status 404: the server has forgotten the session, or has never had any."""
_CLOSED = "the server ended the connection"
T = TypeVar("T")


class Note:
    """What is known of a transport. `broken` is set when a bound was met, which the session is not told."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.program: StdioProgram | None = None
        self.broken = asyncio.Event()
        self._fault = ""

    def break_off(self, reason: str) -> None:
        """Note that a bound was met."""
        self._fault = reason
        self.broken.set()

    @property
    def reason(self) -> str:
        """Why nothing more comes."""
        if self._fault:
            return self._fault
        return _CLOSED if self.program is None else self.program.ended


class Connection:
    """A session in a task of its own: what is entered there is left there, as cancel scopes require."""

    def __init__(
        self, session: ClientSession, task: asyncio.Task[None], leave: asyncio.Event, note: Note
    ) -> None:
        self.session = session
        self._task = task
        self._leave = leave
        self._note = note

    @classmethod
    async def open(cls, transport: Any, seconds: float, tasks: set[asyncio.Task[None]]) -> Connection:
        """Connect within so many seconds. Its task is in `tasks` until it ends.

        Raises:
            FunctionFailedError: it did not come to that.
        """
        ready: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
        leave, note = asyncio.Event(), Note(seconds)
        task = asyncio.create_task(cls._hold(transport, ready, leave, note))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        try:
            session = await asyncio.wait_for(asyncio.shield(ready), seconds)
        except TimeoutError as error:
            task.cancel()
            raise FunctionFailedError(f"no answer within {seconds:g} s") from error
        except asyncio.CancelledError:
            task.cancel()
            raise
        return cls(session, task, leave, note)

    @staticmethod
    async def _hold(
        transport: Any, ready: asyncio.Future[ClientSession], leave: asyncio.Event, note: Note
    ) -> None:
        try:
            async with transport(note) as (received, sent), ClientSession(received, sent) as session:
                await session.initialize()
                if not ready.done():
                    ready.set_result(session)
                await leave.wait()
        except Exception as error:
            if not ready.done():
                ready.set_exception(FunctionFailedError(_first_reason(error, note)))
        finally:
            if not ready.done():
                ready.set_exception(FunctionFailedError(note.reason))
            ready.exception() if not ready.cancelled() else None  # it may be that nobody waits any more

    @property
    def is_over(self) -> bool:
        """Say whether it has ended, or its program has."""
        return self._task.done() or (self._note.program is not None and self._note.program.has_ended)

    @property
    def reason(self) -> str:
        """Why it ended."""
        return self._note.reason

    async def unless_broken(self, work: Awaitable[T]) -> T:
        """Return what work returns; raise a closed stream's error where the transport breaks off before."""
        working = asyncio.ensure_future(work)
        breaking = asyncio.create_task(self._note.broken.wait())
        try:
            await asyncio.wait({working, breaking}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise anyio.ClosedResourceError
            return working.result()
        finally:
            working.cancel()
            breaking.cancel()

    def abandon(self) -> None:
        """Let it end by itself."""
        self._leave.set()


def _first_reason(error: BaseException, note: Note) -> str:
    """Return the reason in an error that task groups have wrapped."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, FunctionFailedError | httpx.HTTPError):
        return reason_of(error, note.seconds)
    if isinstance(error, McpError) and error.error.message == NO_SESSION:
        return "there is no MCP server at its address (status 404)"
    if isinstance(error, McpError) and error.error.code != types.CONNECTION_CLOSED:
        return f"the server says: {' '.join(str(error).split())[:200]}"
    return note.reason
