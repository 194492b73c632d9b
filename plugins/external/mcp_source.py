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
from plugins.external.bounded_stdio import stdio_program
from plugins.external.mcp_connection import NO_SESSION, Connection, Note
from plugins.external.offered import FunctionFailedError, Loaded, OfferedFunction, plain_name

_MOST_PAGES = 20
_CLOSING_SECONDS = 5.0
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
        self._connection: Connection | None = None
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

    async def _connected(self) -> Connection:
        async with self._connecting:
            if self._connection is not None and self._connection.is_over:
                self._give_up(self._connection)  # its program ended while nothing was asked of it
            if self._connection is None:
                self._connection = await Connection.open(
                    self._transport, self._attachment.seconds, self._tasks
                )
            return self._connection

    async def _within(self, connection: Connection, work: Awaitable[T]) -> T:
        """Wait for an answer. One that does not come takes the connection with it: the next call makes a new one."""
        seconds = self._attachment.seconds
        try:
            return await asyncio.wait_for(connection.unless_broken(work), seconds)
        except McpError as error:
            if error.error.code == types.CONNECTION_CLOSED or error.error.message == NO_SESSION:
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

    def _give_up(self, connection: Connection) -> None:
        if self._connection is connection:
            self._connection = None
        connection.abandon()

    @asynccontextmanager
    async def _transport(self, note: Note) -> AsyncIterator[tuple[Any, Any]]:
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
