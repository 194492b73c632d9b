"""Where conversations and what people said of answers are kept, each user's apart.

It is a small SQLite file, or tables beside the memories where those are in PostgreSQL, so that several processes, also
on several machines, know the same. Statements are the same for both; what differs in the schema is replaced.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from retrieval.errors import TekioError
from retrieval.stores.opening import POSTGRES, Place
from retrieval.stores.postgres_address import PostgresAddress
from retrieval.stores.postgres_connection import PostgresConnection

SAID_FILE = "said.sqlite3"
LAYOUT = 3
_BUSY_SECONDS = 10

_SCHEMA = """
CREATE TABLE turns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    "user" TEXT NOT NULL,
    conversation TEXT NOT NULL,
    question TEXT NOT NULL,
    asked TEXT NOT NULL,
    answer TEXT NOT NULL,
    refused INTEGER NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX turns_user ON turns ("user", conversation, id);
CREATE TABLE feedback (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    "user" TEXT NOT NULL,
    at TEXT NOT NULL,
    rating TEXT NOT NULL,
    question TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX feedback_user ON feedback ("user", id)
"""
# Layout 2: what was shown of a turn, whether it came to an answer, the words to search for, and titles.
_SECOND = """
ALTER TABLE turns ADD COLUMN data TEXT NOT NULL DEFAULT '';
ALTER TABLE turns ADD COLUMN finished INTEGER NOT NULL DEFAULT 1;
ALTER TABLE turns ADD COLUMN words TEXT NOT NULL DEFAULT '';
CREATE TABLE titles (
    "user" TEXT NOT NULL,
    conversation TEXT NOT NULL,
    title TEXT NOT NULL,
    words TEXT NOT NULL,
    PRIMARY KEY ("user", conversation)
)
"""
# Layout 3: what policies decided, and of which answers a source was opened. No text, and nobody's name.
_THIRD = """
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    policy TEXT NOT NULL,
    decision TEXT NOT NULL,
    at TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX decisions_policy ON decisions (policy, id);
CREATE INDEX decisions_name ON decisions (decision);
CREATE TABLE clicks (
    decision TEXT PRIMARY KEY,
    at TEXT NOT NULL
)
"""

_IDENTITY = ("INTEGER PRIMARY KEY AUTOINCREMENT", "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
_LAYOUT_TABLE = "said_layout"


class Said(Protocol):
    """Where it is kept."""

    def is_there(self) -> bool:
        """Say whether anything was kept."""

    def connection(self) -> AbstractContextManager[Any]:
        """Give a connection in one transaction, whose `execute` marks parameters by `?`; what is missing is made."""


def said_in(place: Place) -> Said:
    """Return where it is kept for a place of memories: in its PostgreSQL, else in a folder."""
    return SaidSchema(str(place)) if in_postgresql(place) else SaidFile(Path(place))


def in_postgresql(place: Place) -> bool:
    """Say whether a place is in a PostgreSQL."""
    return isinstance(place, str) and place.startswith(POSTGRES)


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
        if layout < LAYOUT:
            _bring_up(connection, layout)
            connection.execute(f"PRAGMA user_version = {LAYOUT}")


class SaidSchema:
    """Tables in a schema of PostgreSQL, with a session for each use."""

    def __init__(self, address: str) -> None:
        self._address = PostgresAddress.parse(address)

    def is_there(self) -> bool:
        """Say whether anything was kept."""
        with closing(PostgresConnection(self._address)) as connection:
            return self._has(connection)

    @contextmanager
    def connection(self) -> Iterator[PostgresConnection]:
        """Give a connection in one transaction; the tables are made where they are not there.

        Raises:
            TekioError: the server cannot be reached or refuses, or the tables are of a newer Tekio.
        """
        with closing(PostgresConnection(self._address)) as connection:
            if not self._has(connection):
                # Two that come first at once: the second waits until the first is done, and finds the tables made. Not
                # in the transaction, which would not see them.
                lock = f"tekio said:{self._address.schema}"
                connection.execute("SELECT pg_advisory_lock(hashtextextended(?, 0))", (lock,))
            connection.execute("BEGIN")
            self._check(connection)
            yield connection
            connection.execute("COMMIT")  # a session that ends without it leaves nothing behind

    def _has(self, connection: PostgresConnection) -> bool:
        query = "SELECT to_regclass(?)"
        name = f"{self._address.schema}.{_LAYOUT_TABLE}"
        return connection.execute(query, (name,)).fetchone() != (None,)

    def _check(self, connection: PostgresConnection) -> None:
        if not self._has(connection):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self._address.schema}")
            connection.execute(f"CREATE TABLE {_LAYOUT_TABLE} (layout integer NOT NULL)")
            connection.execute(f"INSERT INTO {_LAYOUT_TABLE} VALUES (0)")  # noqa: S608
        layout = self._layout(connection)
        if layout < LAYOUT:
            # Of two that find an older layout at once the second waits for the first, and then finds the new one.
            layout = self._layout(connection, " FOR UPDATE")
        if layout < LAYOUT:
            _bring_up(connection, layout)
            connection.execute(f"UPDATE {_LAYOUT_TABLE} SET layout = ?", (LAYOUT,))  # noqa: S608
        if layout > LAYOUT:
            raise TekioError(
                f"{self._address.shown} has layout {layout} of conversations, this Tekio knows up to {LAYOUT}: get a "
                "newer Tekio, or set another schema in `store`"
            )

    @staticmethod
    def _layout(connection: PostgresConnection, lock: str = "") -> int:
        ((layout,),) = connection.execute(f"SELECT layout FROM {_LAYOUT_TABLE}{lock}").fetchall()  # noqa: S608
        return int(layout)


def searchable(text: str) -> str:
    """Return a text as it is searched in: without the difference of full and half width, and of capitals."""
    return unicodedata.normalize("NFKC", text).casefold()


def _bring_up(connection: Any, layout: int) -> None:
    """Bring an older layout, 0 where there is none, to the one of today."""
    for number, schema in enumerate((_SCHEMA, _SECOND, _THIRD), start=1):
        if layout < number:
            if isinstance(connection, PostgresConnection):
                schema = schema.replace(*_IDENTITY)
            for statement in schema.split(";"):
                connection.execute(statement)
    rows = connection.execute("SELECT id, question, answer FROM turns WHERE words = ''").fetchall()
    for row, question, answer in rows:
        words = searchable(f"{question}\n{answer}")
        connection.execute("UPDATE turns SET words = ? WHERE id = ?", (words, row))
