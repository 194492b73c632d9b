"""An index in PostgreSQL: a schema of its own, with the tables that SQLite has, and pgvector for the vectors.

The server keeps readers and writers apart: a read sees one state from beginning to end, a write is one transaction.
One process writes at a time, which an advisory lock of the server sees to; it ends with the session that holds it.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from retrieval.documents import DocumentTable
from retrieval.errors import IndexBusyError, IndexDamagedError, IndexMissingError, TekioError
from retrieval.stores.interface import IndexDatabase
from retrieval.stores.postgres_address import PostgresAddress
from retrieval.stores.postgres_collection import PostgresCollection
from retrieval.stores.postgres_connection import PostgresConnection
from retrieval.stores.postgres_filters import condition

LAYOUT = 1
_LOCK_WAIT_SECONDS = 10.0
_LOOK_SECONDS = 0.1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE IF NOT EXISTS documents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path text COLLATE "C" NOT NULL UNIQUE,
    name text COLLATE "C" NOT NULL,
    title text NOT NULL,
    format text NOT NULL,
    language text,
    encoding text,
    text text NOT NULL,
    page_starts text NOT NULL,
    empty_pages text NOT NULL,
    content_hash text NOT NULL,
    size bigint NOT NULL,
    mtime_ns bigint NOT NULL,
    outcome text NOT NULL,
    message text NOT NULL,
    chunks integer NOT NULL,
    ingested_at text NOT NULL,
    created text,
    modified text,
    tags text NOT NULL,
    given_tags text NOT NULL,
    engines text NOT NULL,
    recipe text NOT NULL,
    owner text NOT NULL
);
CREATE TABLE IF NOT EXISTS readers (
    principal text NOT NULL,
    document_id bigint NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    PRIMARY KEY (principal, document_id)
);
CREATE INDEX IF NOT EXISTS readers_document ON readers (document_id)
"""


class PostgresDatabase(IndexDatabase):
    """One schema of a PostgreSQL, opened by many threads and processes, written by one at a time.

    Connections are kept one per thread.
    """

    def __init__(self, address: str, *, create: bool, lock_wait: float = _LOCK_WAIT_SECONDS) -> None:
        """Open the index at an address.

        Raises:
            IndexMissingError: there is none and `create` is false.
            IndexDamagedError: it was made by a newer Tekio.
            TekioError: the server cannot be reached, or has no pgvector.
        """
        self.address = PostgresAddress.parse(address)
        self._lock_wait = lock_wait
        self._local = threading.local()
        self._connections: list[PostgresConnection] = []
        self._connections_lock = threading.Lock()
        self._write_lock = threading.RLock()
        self._write_depth = 0
        if not self._is_made():
            if not create:
                raise IndexMissingError(f"there is no index in {self.place} yet: run `ingest PATH` first")
            self._create()
        layout = self.get_meta("schema")
        if layout is None or int(layout) > LAYOUT:
            raise IndexDamagedError(
                f"{self.place} has layout {layout}, this Tekio knows up to {LAYOUT}: update Tekio, or use another "
                "schema in its address"
            )

    @property
    def place(self) -> str:
        """Where it is, as people are told; without the password."""
        return self.address.shown

    def _is_made(self) -> bool:
        query = "SELECT to_regclass(?)"
        return self.connection.execute(query, (f"{self.address.schema}.meta",)).fetchone() != (None,)

    def _create(self) -> None:
        try:
            self.connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except TekioError as error:
            raise TekioError(
                f"{error}; Tekio needs pgvector there: install it and run CREATE EXTENSION vector once as an owner"
            ) from error
        with self.write() as connection:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self.address.schema}")
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            for key, value in (("schema", str(LAYOUT)), ("uuid", uuid.uuid4().hex)):
                connection.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO NOTHING", (key, value))

    @property
    def connection(self) -> PostgresConnection:
        """This thread's connection; a new one where the last was lost."""
        connection: PostgresConnection | None = getattr(self._local, "connection", None)
        if connection is None or connection.is_lost:
            connection = self._local.connection = PostgresConnection(self.address)
            with self._connections_lock:
                self._connections = [held for held in self._connections if not held.is_lost]
                self._connections.append(connection)
        return connection

    @contextmanager
    def read(self) -> Iterator[PostgresConnection]:
        """Read in one transaction: all that is read is of one generation."""
        if self.connection.in_transaction:
            yield self.connection
            return
        with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ") as connection:
            self._local.seen = {}
            try:
                yield connection
            finally:
                self._local.seen = None

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[PostgresConnection]:
        connection = self.connection
        if connection.in_transaction:
            yield connection
            return
        connection.execute(begin)
        connection.in_transaction = True
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if not connection.is_lost:
                connection.execute("ROLLBACK")
            raise
        finally:
            connection.in_transaction = False

    @contextmanager
    def writer(self) -> Iterator[None]:
        """Hold the writer's lock over several writes.

        Raises:
            IndexBusyError: another process holds it.
        """
        with self._write_lock:
            if self._write_depth == 0:
                self._acquire()
            self._write_depth += 1
            try:
                yield
            finally:
                self._write_depth -= 1
                if self._write_depth == 0 and not self.connection.is_lost:
                    self.connection.execute(
                        "SELECT pg_advisory_unlock(hashtextextended(?, 0))", (self._lock,)
                    )

    @property
    def _lock(self) -> str:
        return f"tekio:{self.address.schema}"

    def _acquire(self) -> None:
        ends = time.monotonic() + self._lock_wait
        query = "SELECT pg_try_advisory_lock(hashtextextended(?, 0))"
        while self.connection.execute(query, (self._lock,)).fetchone() != (True,):
            if time.monotonic() > ends:
                raise IndexBusyError(
                    f"{self._holder()} is writing to {self.place}: wait until it is done, then try again"
                )
            time.sleep(_LOOK_SECONDS)

    def _holder(self) -> str:
        query = (
            "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE locktype = 'advisory'"
            " AND granted AND (classid::bigint << 32) | objid::bigint = hashtextextended(?, 0)"
        )
        row = self.connection.execute(query, (self._lock,)).fetchone()
        words = str(row[0]).split() if row else []
        return f"process {words[1]} on {words[2]}" if len(words) == 3 else "another process"

    @contextmanager
    def write(self) -> Iterator[PostgresConnection]:
        """Write in one transaction: everything or nothing."""
        with self.writer(), self._transaction("BEGIN") as connection:
            yield connection

    def get_meta(self, key: str) -> str | None:
        """Return a setting of the index; within a read the server is asked once."""
        seen: dict[str, str | None] | None = getattr(self._local, "seen", None)
        if seen is None:
            return self._meta(key)
        if key not in seen:
            seen[key] = self._meta(key)
        return seen[key]

    def _meta(self, key: str) -> str | None:
        row = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Store a setting of the index."""
        query = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        with self.write() as connection:
            connection.execute(query, (key, value))

    def documents(self) -> DocumentTable:
        """Return the documents."""
        columns = {name: f"CAST({name} AS jsonb)" for name in ("tags", "given_tags")}
        return DocumentTable(self, condition=condition, columns=columns)

    def collection(
        self, name: str, *, dimension: int, fields: Sequence[str], indexed: Sequence[str] = ()
    ) -> PostgresCollection:
        """Return a collection; `indexed` are fields for which filters are made fast."""
        return PostgresCollection(self, name, dimension=dimension, fields=fields, indexed=indexed)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._connections_lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()
