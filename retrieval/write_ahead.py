"""SQLite's write-ahead log, turned on also where several connections do so at once.

https://www.sqlite.org/wal.html: the change to this mode needs the file alone, and where two ask for it at the same time
SQLite answers one of them "database is locked" at once, whatever its busy timeout is.
"""

from __future__ import annotations

import sqlite3
import time

_PAUSE_SECONDS = 0.002
_LONGEST_PAUSE_SECONDS = 0.05


def turn_on_write_ahead_log(connection: sqlite3.Connection, *, within_seconds: float) -> None:
    """Bring the file of a connection to the write-ahead log; wait for others that do the same or hold the file.

    Raises:
        sqlite3.OperationalError: it was locked all this time, or cannot be written.
        sqlite3.DatabaseError: it is no database.
    """
    deadline = time.monotonic() + within_seconds
    pause = _PAUSE_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            if time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
