"""The connections of a server, and which of them are cut: no client may hold memory or a place for ever.

Uvicorn waits for what a client sends, and with what it writes until the client has read, however long that takes. So
somebody looks at all connections every second, and cuts one whose client takes nothing of what waits for it (as nginx's
`send_timeout` does), or does not come to an end with its request (`client_header_timeout`, `client_body_timeout`). The
application hears that the client is gone, and leaves off.

Where there are too many, those go that have waited longest for a request; nobody is refused for it, so that whoever
asks whether the server lives is always answered.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
import sys
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger("tekio.rest")
_AT_ONCE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""Has the system drop what was not read too, which it would keep for minutes."""
_LATE = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    b"the request did not come to an end in time: send it again\n"
)
_OWN_FILES = 512
"""Files and connections of the process's own: models, databases, other servers."""


class Connection(H11Protocol):
    """A connection that knows since when its client has read nothing, or owes the rest of a request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(transport)
        self._socket: socket.socket | None = transport.get_extra_info("socket")
        self._unread, self._unread_since = 0, self.loop.time()
        self.waiting_since = self._heard = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        self._heard = self.loop.time()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.waiting_since = self.loop.time()
        super().on_response_complete()

    @property
    def is_waiting(self) -> bool:
        """Say whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def late_for(self, now: float) -> float:
        """Return for how many seconds a request has not come, or nothing more of its body; 0 where none is owed."""
        if self.is_waiting:
            return now - self.waiting_since
        asked_to_wait = self.flow.read_paused or self.cycle.waiting_for_100_continue
        if asked_to_wait or not self.cycle.more_body:
            self._heard = now  # what comes next is owed from now on
        return now - self._heard

    def unread_for(self, now: float) -> float:
        """Return for how many seconds the client has read nothing of what waits for it; 0 where nothing does."""
        size = self.transport.get_write_buffer_size() + _held_by_system(self._socket)
        # More of it says nothing of the client; but soon no more is added, and then less of it does.
        if size == 0 or size != self._unread:
            self._unread, self._unread_since = size, now
        return now - self._unread_since

    def refuse(self) -> None:
        """End the connection; who has begun with a request is told."""
        if self._heard > self.waiting_since and (self.is_waiting or not self.cycle.response_started):
            self.transport.write(_LATE)
        self.transport.close()

    def cut(self, why: str) -> None:
        """End the connection without waiting for the client."""
        log.info("a connection of %s was cut: %s", self.client[0] if self.client else "a client", why)
        if self._socket is not None and self._socket.family in (socket.AF_INET, socket.AF_INET6):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.transport.abort()


class Watch:
    """Looks at the connections of a server."""

    def __init__(self, *, unread_seconds: float, request_seconds: float, most: int) -> None:
        """Keep connections in bounds.

        Args:
            unread_seconds: after which one is cut whose client reads nothing.
            request_seconds: that a client has for the head of a request, and for each next piece of its body.
            most: from which those are cut that wait for a request.
        """
        self._unread_seconds = unread_seconds
        self._request_seconds = request_seconds
        self._most = most
        self._looked = 0.0

    def look(self, connections: Collection[Any], now: float) -> None:
        """Cut what has to be cut; call it several times a second, with the time of the event loop."""
        if len(connections) > self._most:
            waiting = sorted((each for each in _open(connections) if each.is_waiting), key=_since)
            for each in waiting[: len(connections) - self._most]:
                each.cut(f"there were {len(connections):,}, {self._most:,} are the most")
        if now < self._looked + 1:
            return
        self._looked = now
        for each in _open(connections):
            if each.late_for(now) > self._request_seconds:
                each.refuse()
        for each in list(connections):  # those too that end when their clients have read
            if isinstance(each, Connection) and each.unread_for(now) > self._unread_seconds:
                each.cut(f"nothing was read for {self._unread_seconds:g} s")


def room_for(wanted: int) -> int:
    """Let this process open so many connections beside its files; return how many it may where that is less."""
    try:
        import resource
    except ImportError:  # a system that counts them otherwise
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OWN_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    with suppress(ValueError, OSError):  # a system that has a limit of its own
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return min(wanted, max(soft - _OWN_FILES, soft // 2))


def _open(connections: Collection[Any]) -> list[Connection]:
    return [each for each in connections if isinstance(each, Connection) and not each.transport.is_closing()]


def _since(connection: Connection) -> float:
    return connection.waiting_since


def _held_by_system(sent: socket.socket | None) -> int:
    """Return how many bytes the system holds that the client has not acknowledged; 0 where it does not tell."""
    if sent is None:
        return 0
    try:
        import fcntl
        import termios

        held = bytearray(4)
        fcntl.ioctl(sent.fileno(), termios.TIOCOUTQ, held)
        return int.from_bytes(held, sys.byteorder)
    except (ImportError, OSError, ValueError):  # no such system, or a socket that is closed
        return 0
