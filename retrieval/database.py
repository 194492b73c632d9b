"""The SQLite file of an index: connections, the one writer, the schema that all collections share.

SQLite in write-ahead mode is the truth; everything else in the folder is derived from it and may be deleted.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from retrieval.collection_schema import to_layout_2, to_layout_3
from retrieval.collection_store import CollectionStore
from retrieval.documents import DocumentTable
from retrieval.errors import IndexBusyError, IndexDamagedError, IndexMissingError, TekioError
from retrieval.stores.interface import IndexDatabase
from retrieval.write_ahead import turn_on_write_ahead_log

SCHEMA_VERSION = 4
DATABASE_FILE = "index.sqlite3"
_LOCK_FILE = "writer.lock"
_HOLDER_FILE = "writer.pid"
_LOCK_WAIT_SECONDS = 10.0
_BUSY_SECONDS = 30

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    format TEXT NOT NULL,
    language TEXT,
    encoding TEXT,
    text TEXT NOT NULL,
    page_starts TEXT NOT NULL,
    empty_pages TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    message TEXT NOT NULL,
    chunks INTEGER NOT NULL,
    ingested_at TEXT NOT NULL,
    created TEXT,
    modified TEXT,
    tags TEXT NOT NULL DEFAULT '{}',
    given_tags TEXT NOT NULL DEFAULT '{}',
    engines TEXT NOT NULL DEFAULT '{}',
    recipe TEXT NOT NULL DEFAULT '',
    owner TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS readers (
    principal TEXT NOT NULL,
    document_id INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    PRIMARY KEY (principal, document_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS readers_document ON readers (document_id)
"""
# What the documents of older layouts lack; the tables of collections are brought up to date beside them.
_TO_LAYOUT_2 = (
    "created TEXT",
    "modified TEXT",
    "tags TEXT NOT NULL DEFAULT '{}'",
    "given_tags TEXT NOT NULL DEFAULT '{}'",
    "engines TEXT NOT NULL DEFAULT '{}'",
    "recipe TEXT NOT NULL DEFAULT ''",
)


class Database(IndexDatabase):
    """One SQLite file, opened by many threads and processes, written by one at a time.

    Reading connections are kept one per thread. A write takes the folder's lock file, so that a second
    process waits a little and then gets `IndexBusyError` with the holder's process id.
    """

    def __init__(self, folder: Path, *, create: bool, lock_wait: float = _LOCK_WAIT_SECONDS) -> None:
        """Open the database in a folder.

        Raises:
            IndexMissingError: there is none and `create` is false.
            IndexDamagedError: the file is no database, or was made by a newer Tekio.
            TekioError: the folder cannot be written.
        """
        self.folder = folder
        self.path = folder / DATABASE_FILE
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._connections_lock = threading.Lock()
        self._write_lock = threading.RLock()
        self._write_depth = 0
        # Reentrant by counting, and shared between threads: `_write_lock` orders the threads of this process.
        self._file_lock = FileLock(folder / _LOCK_FILE, timeout=lock_wait, thread_local=False)
        if not self.path.is_file() or self._is_blank():
            if not create:
                raise IndexMissingError(f"there is no index in {folder} yet: run `ingest PATH` first")
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise TekioError(
                    f"cannot create the index folder {folder}: {error.strerror or error}"
                ) from error
            with self.write() as connection:
                self._create(connection)
        self._check()

    def _is_blank(self) -> bool:
        """Tell whether the file holds nothing: a kill came between its making and the first transaction."""
        try:
            return self.connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None
        except sqlite3.DatabaseError:
            return False  # it holds something, which the check names

    @staticmethod
    def _make_tables(connection: sqlite3.Connection) -> None:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)

    def _create(self, connection: sqlite3.Connection) -> None:
        self._make_tables(connection)
        for key, value in (("schema", str(SCHEMA_VERSION)), ("uuid", uuid.uuid4().hex)):
            connection.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, value))

    def _check(self) -> None:
        try:
            version = self.get_meta("schema")
        except sqlite3.DatabaseError as error:
            raise IndexDamagedError(
                f"{self.path} cannot be read ({error}): move the folder away and run `ingest` again"
            ) from error
        if version is None or int(version) > SCHEMA_VERSION:
            raise IndexDamagedError(
                f"{self.path} has layout {version}, this Tekio knows up to {SCHEMA_VERSION}: "
                "update Tekio, or use another --index folder"
            )
        if int(version) < SCHEMA_VERSION:
            self._upgrade()

    def _upgrade(self) -> None:
        """Bring an older layout to the present one, in one transaction."""
        with self.write() as connection:
            held = int(self.get_meta("schema") or 0)
            if held >= SCHEMA_VERSION:  # another process was faster
                return
            if held < 2:
                for column in _TO_LAYOUT_2:
                    connection.execute(f"ALTER TABLE documents ADD COLUMN {column}")
                to_layout_2(connection)
            if held < 3:
                to_layout_3(connection)
            connection.execute("ALTER TABLE documents ADD COLUMN owner TEXT NOT NULL DEFAULT ''")
            self._make_tables(connection)
            # What was read before there were readers was everyone's.
            connection.execute("INSERT INTO readers SELECT '*', id FROM documents")
            connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (str(SCHEMA_VERSION),))

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            turn_on_write_ahead_log(connection, within_seconds=_BUSY_SECONDS)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
        except sqlite3.OperationalError as error:
            raise TekioError(
                f"cannot open {self.path}: {error}; check that the folder can be written"
            ) from error
        except sqlite3.DatabaseError as error:
            raise IndexDamagedError(
                f"{self.path} cannot be read ({error}): move the folder away and run `ingest` again"
            ) from error
        with self._connections_lock:
            self._connections.append(connection)
        return connection

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return connection

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Read in one transaction: all that is read is of one generation."""
        connection = self.connection
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")

    @contextmanager
    def writer(self) -> Iterator[None]:
        """Hold the writer's lock over several writes.

        Raises:
            IndexBusyError: another process holds it.
        """
        with self._write_lock:
            try:
                self._file_lock.acquire()
            except Timeout as error:
                raise IndexBusyError(
                    f"process {self._holder()} is writing to {self.folder}: wait until it is done, then try again"
                ) from error
            except OSError as error:
                raise TekioError(f"cannot write to {self.folder}: {error.strerror or error}") from error
            try:
                if self._write_depth == 0:
                    (self.folder / _HOLDER_FILE).write_text(str(os.getpid()))
                self._write_depth += 1
                yield
            finally:
                self._write_depth -= 1
                self._file_lock.release()

    def _holder(self) -> str:
        try:
            return (self.folder / _HOLDER_FILE).read_text().strip() or "?"
        except OSError:
            return "?"

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Write in one transaction: everything or nothing."""
        with self.writer():
            connection = self.connection
            if connection.in_transaction:
                yield connection
                return
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    raise TekioError(
                        f"cannot write to {self.path}: {error}; the index is as it was before"
                    ) from error
                raise

    def get_meta(self, key: str) -> str | None:
        """Return a value of the table `meta`."""
        row = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Store a value in the table `meta`."""
        with self.write() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def shrink_log(self) -> None:
        """Move what was written from the write-ahead log into the file; where readers hold on to it, another time."""
        connection = self.connection
        if connection.in_transaction:
            return
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")

    @property
    def place(self) -> str:
        """Where it is, as people are told."""
        return str(self.folder)

    def documents(self) -> DocumentTable:
        """Return the documents."""
        return DocumentTable(self)

    def collection(
        self, name: str, *, dimension: int, fields: Sequence[str], indexed: Sequence[str] = ()
    ) -> CollectionStore:
        """Return a collection; `indexed` are fields for which filters are made fast."""
        return CollectionStore(self, name, dimension=dimension, fields=fields, indexed=indexed)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._connections_lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()
