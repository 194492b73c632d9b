"""The connections of a server, and which of them are cut: no client may hold memory or a place for ever.

Uvicorn waits with what it writes until a client has read, however long that takes. So somebody looks at all
connections every second; one whose client takes nothing of what waits for it is cut, as nginx's `send_timeout` does.
The application hears that the client is gone, and leaves off.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
import sys
from collections.abc import Collection
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger("tekio.rest")
_AT_ONCE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""Has the system drop what was not read too, which it would keep for minutes."""


class Connection(H11Protocol):
    """A connection that knows since when its client has read nothing."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(transport)
        self._socket: socket.socket | None = transport.get_extra_info("socket")
        self._unread, self._unread_since = 0, self.loop.time()

    def unread_for(self, now: float) -> float:
        """Return for how many seconds the client has read nothing of what waits for it; 0 where nothing does."""
        size = self.transport.get_write_buffer_size() + _held_by_system(self._socket)
        # More of it says nothing of the client; but soon no more is added, and then less of it does.
        if size == 0 or size != self._unread:
            self._unread, self._unread_since = size, now
        return now - self._unread_since

    def cut(self, why: str) -> None:
        """End the connection without waiting for the client."""
        log.info("a connection of %s was cut: %s", self.client[0] if self.client else "a client", why)
        if self._socket is not None and self._socket.family in (socket.AF_INET, socket.AF_INET6):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.transport.abort()


class Watch:
    """Looks at the connections of a server."""

    def __init__(self, *, unread_seconds: float) -> None:
        """Cut connections whose clients read nothing for so long."""
        self._unread_seconds = unread_seconds

    def look(self, connections: Collection[Any], now: float) -> None:
        """Cut what has to be cut; call it every second, with the time of the event loop."""
        for each in list(connections):
            if isinstance(each, Connection) and each.unread_for(now) > self._unread_seconds:
                each.cut(f"nothing was read for {self._unread_seconds:g} s")


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
