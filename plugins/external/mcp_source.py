"""The tools of an MCP server as functions.

The client is the official package's. Semantic Kernel's MCP plugins are not used: where the server does not answer
to the first message, or dies at it, their `connect` waits for ever; they read one page of tools, and take a new list
of them, and new descriptions, whenever the server says so. Here what was read when the server was connected stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import httpx
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import McpError

from plugins.external.attachment import Attachment
from plugins.external.bounded_http import bounded_client, reason_of
from plugins.external.bounded_stdio import StdioProgram, stdio_program
from plugins.external.offered import FunctionFailedError, Loaded, OfferedFunction, plain_name

_MOST_PAGES = 20
_CLOSING_SECONDS = 5.0
_NO_SESSION = "Session terminated"
"""What the package makes of status 404: the server has forgotten the session, or has never had any."""
_CLOSED = "the server ended the connection"
T = TypeVar("T")


class McpSource:
    """An attached server. Its connection is made when it is first needed, kept, and made anew after a failure."""

    def __init__(
        self, attachment: Attachment, headers: Mapping[str, str], environment: Mapping[str, str]
    ) -> None:
        """Make a source; `headers` and `environment` are the secrets of its settings, read already."""
        self._attachment = attachment
        self._headers = headers
        self._environment = environment
        self._connecting = asyncio.Lock()
        self._connection: _Connection | None = None
        self._tasks: set[asyncio.Task[None]] = set()  # of every connection that has not ended yet

    async def load(self) -> Loaded:
        """Connect and list the tools; return what is allowed of them.

        Raises:
            FunctionFailedError: the server is not there, does not answer in time, or is no MCP server.
        """
        connection = await self._connected()
        tools = await self._within(connection, self._list(connection.session))
        allowed, functions, others = set(self._attachment.allow), [], []
        names: set[str] = set()
        unusable: dict[str, str] = {}
        for tool in tools:
            if tool.name not in allowed:
                others.append(tool.name)
            elif plain_name(tool.name) in names:
                unusable[tool.name] = "another tool has nearly the same name"
            else:
                names.add(plain_name(tool.name))
                functions.append(self._function(tool))
        return Loaded(functions, others, unusable)

    async def close(self) -> None:
        """End the connection, those that were given up before, and their programs."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSING_SECONDS)

    def _function(self, tool: types.Tool) -> OfferedFunction:
        async def call(arguments: Mapping[str, Any]) -> str:
            connection = await self._connected()
            asked = connection.session.call_tool(tool.name, dict(arguments))
            return _text_of(await self._within(connection, asked))

        bounds = self._attachment
        return OfferedFunction(
            plugin=bounds.name,
            name=plain_name(tool.name),
            description=" ".join((tool.description or tool.title or tool.name).split())[:300],
            parameters={"properties": {}, **tool.inputSchema},
            call=call,
            seconds=bounds.seconds,
            characters=bounds.characters,
        )

    async def _list(self, session: ClientSession) -> list[types.Tool]:
        found: list[types.Tool] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            found += page.tools
            cursor = page.nextCursor
            if not cursor:
                break
        return found

    async def _connected(self) -> _Connection:
        async with self._connecting:
            if self._connection is None or self._connection.is_over:
                self._connection = await _Connection.open(
                    self._transport, self._attachment.seconds, self._tasks
                )
            return self._connection

    async def _within(self, connection: _Connection, work: Awaitable[T]) -> T:
        """Wait for an answer. One that does not come takes the connection with it: the next call makes a new one."""
        seconds = self._attachment.seconds
        try:
            return await asyncio.wait_for(connection.unless_broken(work), seconds)
        except McpError as error:
            if error.error.code == types.CONNECTION_CLOSED or error.error.message == _NO_SESSION:
                self._give_up(connection)
                raise FunctionFailedError(connection.reason) from error
            raise FunctionFailedError(f"the server says: {' '.join(str(error).split())[:200]}") from error
        except (TimeoutError, anyio.ClosedResourceError, anyio.BrokenResourceError, httpx.HTTPError) as error:
            is_late = isinstance(error, TimeoutError)
            self._give_up(connection)
            raise FunctionFailedError(reason_of(error, seconds) if is_late else connection.reason) from error
        except asyncio.CancelledError:
            self._give_up(connection)  # whoever waited longer than the bound has left
            raise
        except RuntimeError as error:  # what a tool sends does not fit what it said of itself
            raise FunctionFailedError(" ".join(str(error).split())[:200]) from error

    def _give_up(self, connection: _Connection) -> None:
        if self._connection is connection:
            self._connection = None
        connection.abandon()

    @asynccontextmanager
    async def _transport(self, note: _Note) -> AsyncIterator[tuple[Any, Any]]:
        if self._attachment.mcp_command:
            command, environment = self._attachment.mcp_command, self._environment
            async with stdio_program(command, environment=environment) as (received, sent, program):
                note.program = program
                yield received, sent
            return
        url, seconds = self._attachment.mcp_url, self._attachment.seconds
        async with (
            bounded_client(url, seconds=seconds, headers=self._headers, on_fault=note.break_off) as client,
            streamable_http_client(url, http_client=client) as (received, sent, _),
        ):
            yield received, sent


class _Note:
    """What is known of a transport. `broken` is set when a bound was met, which the session is not told."""

    def __init__(self) -> None:
        self.program: StdioProgram | None = None
        self.broken = asyncio.Event()
        self._fault = ""

    def break_off(self, reason: str) -> None:
        self._fault = reason
        self.broken.set()

    @property
    def reason(self) -> str:
        if self._fault:
            return self._fault
        return _CLOSED if self.program is None else self.program.ended


class _Connection:
    """A session in a task of its own: what is entered there is left there, as cancel scopes require."""

    def __init__(
        self, session: ClientSession, task: asyncio.Task[None], leave: asyncio.Event, note: _Note
    ) -> None:
        self.session = session
        self._task = task
        self._leave = leave
        self._note = note

    @classmethod
    async def open(cls, transport: Any, seconds: float, tasks: set[asyncio.Task[None]]) -> _Connection:
        """Connect within so many seconds. Its task is in `tasks` until it ends.

        Raises:
            FunctionFailedError: it did not come to that.
        """
        ready: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
        leave, note = asyncio.Event(), _Note()
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
        transport: Any, ready: asyncio.Future[ClientSession], leave: asyncio.Event, note: _Note
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
        """Say whether it has ended."""
        return self._task.done()

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


def _first_reason(error: BaseException, note: _Note) -> str:
    """Return the reason in an error that task groups have wrapped."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, FunctionFailedError | httpx.HTTPError):
        return reason_of(error, 0)
    if isinstance(error, McpError) and error.error.message == _NO_SESSION:
        return "there is no MCP server at its address (status 404)"
    if isinstance(error, McpError) and error.error.code != types.CONNECTION_CLOSED:
        return f"the server says: {' '.join(str(error).split())[:200]}"
    return note.reason


def _text_of(result: types.CallToolResult) -> str:
    pieces: list[str] = []
    for block in result.content:
        match block:
            case types.TextContent():
                pieces.append(block.text)
            case types.EmbeddedResource(resource=types.TextResourceContents() as resource):
                pieces.append(resource.text)
            case _:
                pieces.append(f"[{block.type} left out]")
    text = "\n".join(pieces)
    if result.isError:
        raise FunctionFailedError(f"the server says: {' '.join(text.split())[:200]}")
    return text
