"""A connection to PostgreSQL with pgvector, by pg8000, whose statements mark their parameters by `?` as SQLite's do."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

from retrieval.errors import TekioError, UsageError
from retrieval.stores.postgres_address import PostgresAddress
from retrieval.stores.storable import storable


class LostConnectionError(TekioError):
    """The server went away in the middle."""


class PostgresCursor:
    """What a statement gave."""

    def __init__(self, rows: list[tuple[Any, ...]], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount
        self._next = 0

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while (row := self.fetchone()) is not None:
            yield row

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row; None after the last."""
        if self._next >= len(self._rows):
            return None
        self._next += 1
        return self._rows[self._next - 1]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows that are left."""
        left, self._next = self._rows[self._next :], len(self._rows)
        return left


class PostgresConnection:
    """One session. Not to be used by two threads at once."""

    def __init__(self, address: PostgresAddress) -> None:
        """Connect.

        Raises:
            UsageError: pg8000 is not installed.
            TekioError: the server cannot be reached, or does not let us in.
        """
        try:
            import pg8000.native as driver
        except ImportError as error:
            raise UsageError(
                "PostgreSQL needs the package pg8000: pip install 'tekio[postgresql]'"
            ) from error
        self._driver = driver
        self._shown = address.shown
        self.in_transaction = False
        self.is_lost = False
        try:
            self._connection = _connected(driver, address)
        except (driver.Error, OSError) as error:
            raise TekioError(
                f"cannot open {address.shown}: {_reason(error)}; check that the server runs and lets you in"
            ) from error
        self.execute(f"SET search_path = {address.schema}, public")

    def execute(self, query: str, parameters: Sequence[Any] = ()) -> PostgresCursor:
        """Run a statement.

        Raises:
            LostConnectionError: the server went away.
            TekioError: the server refused it.
        """
        first, *parts = query.split("?")  # none of our statements holds one for anything else
        named = first + "".join(f":p{number}{part}" for number, part in enumerate(parts))
        values = {f"p{number}": storable(value) for number, value in enumerate(parameters)}
        try:
            rows = [tuple(row) for row in self._connection.run(named, **values) or []]
        except (self._driver.InterfaceError, OSError) as error:
            self.is_lost = True
            raise LostConnectionError(
                f"the connection to {self._shown} was lost ({_reason(error)}): try again"
            ) from error
        except self._driver.Error as error:
            raise TekioError(f"{self._shown} refused: {_reason(error)}") from error
        return PostgresCursor(rows, self._connection.row_count)

    def close(self) -> None:
        """End the session."""
        try:
            self._connection.close()
        except (self._driver.Error, OSError):
            self.is_lost = True  # it was gone already


def _connected(driver: Any, address: PostgresAddress) -> Any:
    arguments: dict[str, Any] = {
        "user": address.user,
        "password": address.password,
        "database": address.database,
        "timeout": address.connect_timeout,
        "application_name": f"tekio {os.getpid()} {socket.gethostname()}",
    }
    if address.host.startswith("/"):
        path = f"{address.host}/.s.PGSQL.{address.port}"
        connection = driver.Connection(unix_sock=path, **arguments)
    else:
        connection = driver.Connection(
            host=address.host, port=address.port, ssl_context=_tls(address.sslmode), **arguments
        )
    # The time limit is for the connecting; a large index takes longer than that to build.
    connection._usock.settimeout(None)
    return connection


def _tls(sslmode: str) -> Any:
    if sslmode == "disable":
        return False
    if sslmode == "prefer":
        return None  # pg8000 asks for it and goes on without
    context = ssl.create_default_context()
    if sslmode == "require":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _reason(error: BaseException) -> str:
    """Return what a server said, in one line."""
    said = error.args[0] if error.args else error
    if isinstance(said, dict):
        said = said.get("M") or said
    return " ".join(str(said).split())[:300]
