"""The small SQLite file in which conversations and what people said of answers are kept, each user's apart."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from retrieval.errors import TekioError

SAID_FILE = "said.sqlite3"
LAYOUT = 1
_BUSY_SECONDS = 10

_SCHEMA = """
CREATE TABLE turns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL,
    conversation TEXT NOT NULL,
    question TEXT NOT NULL,
    asked TEXT NOT NULL,
    answer TEXT NOT NULL,
    refused INTEGER NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX turns_user ON turns (user, conversation, id);
CREATE TABLE feedback (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL,
    at TEXT NOT NULL,
    rating TEXT NOT NULL,
    question TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX feedback_user ON feedback (user, id)
"""


class SaidFile:
    """One SQLite file in a folder, opened for each use: it is used once a question, by several processes."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / SAID_FILE

    def is_there(self) -> bool:
        """Say whether anything was kept."""
        return self._path.is_file()

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Give a connection in one transaction; the file is made where it is not there.

        Raises:
            TekioError: the file cannot be read or written, or is of a newer Tekio.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            opened = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
            with closing(opened) as connection:
                connection.execute("BEGIN IMMEDIATE")
                self._check(connection)
                yield connection
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise TekioError(
                f"{self._path} cannot be used ({error}): check that the folder can be written, or move the file away"
            ) from error

    def _check(self, connection: sqlite3.Connection) -> None:
        (layout,) = connection.execute("PRAGMA user_version").fetchone()
        if layout > LAYOUT:
            raise TekioError(
                f"{self._path} has layout {layout}, this Tekio knows up to {LAYOUT}: get a newer Tekio, or set "
                "another folder as `memory`"
            )
        if layout == 0:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {LAYOUT}")
