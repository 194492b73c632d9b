"""A program that speaks MCP over its standard input and output, held within bounds.

As the transport of the package `mcp`, but for what that leaves open: a message may have so many bytes and no more,
what the program writes to standard error is kept for the reason of its end and shown nowhere else, and a program
that does not go is killed with its children.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import types
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage

from plugins.external.bounded_http import MAX_BYTES
from plugins.external.offered import FunctionFailedError

_GRACE_SECONDS = 1.0
_PIECE = 65_536
_KEPT_ERRORS = 2000
Received = MemoryObjectReceiveStream[SessionMessage | Exception]
Sent = MemoryObjectSendStream[SessionMessage]


class StdioProgram:
    """A running program, with why it is of no more use, if it is."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._errors = b""
        self.fault = ""

    @property
    def ended(self) -> str:
        """Why nothing more comes from it: too large a message, or its end with the last line of its errors."""
        if self.fault:
            return self.fault
        lines = self._errors.decode("utf-8", errors="replace").strip().splitlines()
        said = f": {' '.join(lines[-1].split())[:200]}" if lines else ""
        code = self._process.returncode
        return f"the program ended{'' if code is None else f' with code {code}'}{said}"

    @property
    def has_ended(self) -> bool:
        """Say whether it runs no more."""
        return self._process.returncode is not None

    async def read(self, into: MemoryObjectSendStream[SessionMessage | Exception], most_bytes: int) -> None:
        """Hand on each message that it writes, a line each; stop at one that is too large."""
        assert self._process.stdout is not None
        buffer = bytearray()
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            async with into:
                while piece := await self._process.stdout.read(_PIECE):
                    *lines, rest = piece.split(b"\n")
                    for line in lines:
                        buffer += line
                        if len(buffer) <= most_bytes:
                            await self._hand_on(bytes(buffer), into)
                        buffer.clear()
                    buffer += rest
                    if len(buffer) > most_bytes:
                        self.fault = f"the answer is larger than {most_bytes:,} bytes"
                        return
                await self._process.wait()

    async def _hand_on(self, line: bytes, into: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        with suppress(ValueError):  # what is no message, such as a greeting, is passed over
            await into.send(SessionMessage(types.JSONRPCMessage.model_validate_json(line)))

    async def read_errors(self) -> None:
        """Keep the end of what it writes to standard error."""
        assert self._process.stderr is not None
        while piece := await self._process.stderr.read(_PIECE):
            self._errors = (self._errors + piece)[-_KEPT_ERRORS:]

    async def write(self, what: MemoryObjectReceiveStream[SessionMessage]) -> None:
        """Write each message to its standard input."""
        assert self._process.stdin is not None
        with suppress(anyio.ClosedResourceError, ConnectionError):
            async with what:
                async for message in what:
                    line = message.message.model_dump_json(by_alias=True, exclude_none=True)
                    self._process.stdin.write(line.encode() + b"\n")
                    await self._process.stdin.drain()

    async def end(self) -> None:
        """Close its input, then ask it to go, then kill it and its children."""
        process = self._process
        assert process.stdin is not None
        process.stdin.close()
        for sign in (None, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            if sign is not None:
                _send(process, sign)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
                break
        _send(process, getattr(signal, "SIGKILL", signal.SIGTERM))  # children that outlive it
        # asyncio leaves a pipe open that a child still holds, and complains of it when the loop is gone.
        if (transport := getattr(process, "_transport", None)) is not None:
            transport.close()


@asynccontextmanager
async def stdio_program(
    command: Sequence[str], *, environment: Mapping[str, str], most_bytes: int = MAX_BYTES
) -> AsyncIterator[tuple[Received, Sent, StdioProgram]]:
    """Run a program; give the streams to and from it, and the program.

    Args:
        command: its name and its words; no shell reads them.
        environment: variables that it gets beside those that are safe to hand on (`PATH`, `HOME` and the like).
        most_bytes: largest message.

    Raises:
        FunctionFailedError: it cannot be started.
    """
    own_group: dict[str, Any] = {} if sys.platform == "win32" else {"start_new_session": True}
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**get_default_environment(), **environment},
            **own_group,
        )
    except (OSError, ValueError) as error:
        raise FunctionFailedError(f"{command[0]} cannot be started: {error}") from error
    program = StdioProgram(process)
    incoming, received = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    sent, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = [
        asyncio.create_task(program.read(incoming, most_bytes)),
        asyncio.create_task(program.read_errors()),
        asyncio.create_task(program.write(outgoing)),
    ]
    try:
        yield received, sent, program
    finally:
        with anyio.CancelScope(shield=True):
            await program.end()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for stream in (incoming, received, sent, outgoing):
                stream.close()


def _send(process: asyncio.subprocess.Process, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.send_signal(sign)
        else:
            os.killpg(process.pid, sign)
