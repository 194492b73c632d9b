"""Stored answers: one SQLite file with the index, bounded, the least recently used gone first.

Each answer is kept with what it rests on: the passages that were found, by a digest, and the ids of their documents,
which are new when a document changes. When one of them is gone, so is the answer, and what it said is wiped.
A cache that is damaged, locked or on a full disk is none: a question is answered without it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.write_ahead import turn_on_write_ahead_log

log = logging.getLogger("tekio.cache")

_VERSION = 1
_BUSY_SECONDS = 2.0
_MIB = 1 << 20
_KEPT_SHARE = 0.9
"""What is left when answers are taken out because there are too many, so that this is not done at each."""
_MOST_COMPARED = 2000
_SCHEMA = """
CREATE TABLE answers (
    key BLOB PRIMARY KEY, scope BLOB NOT NULL, question TEXT NOT NULL, vector BLOB,
    identity TEXT NOT NULL, version TEXT NOT NULL, found BLOB NOT NULL, refused INTEGER NOT NULL,
    answer TEXT NOT NULL, size INTEGER NOT NULL, made REAL NOT NULL, used REAL NOT NULL
);
CREATE INDEX answers_scope ON answers (scope);
CREATE INDEX answers_used ON answers (used);
CREATE TABLE rests_on (
    key BLOB NOT NULL REFERENCES answers ON DELETE CASCADE, document INTEGER NOT NULL
);
CREATE INDEX rests_on_key ON rests_on (key);
CREATE INDEX rests_on_document ON rests_on (document);
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer with what it rests on.

    `identity` and `version` are those of the index that it was found in, `found` a digest of the passages, `documents`
    the ids of theirs, `vector` the question's, shape (dimension,).
    """

    key: bytes
    scope: bytes
    question: str
    identity: str
    version: str
    found: bytes
    refused: bool
    answer: str
    documents: Sequence[int] = ()
    vector: NDArray[np.float32] | None = None
    made: float = 0.0


@dataclass(frozen=True, slots=True)
class CacheState:
    """What is stored. Sizes in bytes, times in seconds since the epoch."""

    file: str
    answers: int
    refusals: int
    documents: int
    size: int
    most: int
    oldest: float | None
    last_used: float | None


class AnswerCache:
    """The stored answers of a file. Safe between threads and processes; no method raises what SQLite does."""

    def __init__(self, file: Path, *, most_mb: int = 64) -> None:
        self.file = file
        self._most = most_mb * _MIB
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._has_warned = False

    def get(self, key: bytes) -> Stored | None:
        """Return the answer under a key."""
        with self._work() as connection:
            if connection is not None:
                row = connection.execute(f"SELECT {_COLUMNS} FROM answers WHERE key = ?", (key,)).fetchone()  # noqa: S608
                return None if row is None else _stored(row)
        return None

    def similar(self, scope: bytes) -> list[tuple[bytes, str, NDArray[np.float32]]]:
        """Return (key, question, vector) of the answers of a scope, those used last first."""
        query = (
            "SELECT key, question, vector FROM answers WHERE scope = ? AND vector IS NOT NULL "
            "ORDER BY used DESC LIMIT ?"
        )
        with self._work() as connection:
            if connection is not None:
                rows = connection.execute(query, (scope, _MOST_COMPARED)).fetchall()
                return [(key, question, np.frombuffer(vector, "<f4")) for key, question, vector in rows]
        return []

    def put(self, stored: Stored) -> None:
        """Store an answer in place of the one of the same key; make room."""
        vector = None if stored.vector is None else stored.vector.astype("<f4").tobytes()
        size = len(stored.answer.encode("utf-8", "surrogatepass")) + len(vector or b"") + 400
        now = time.time()
        with self._work(write=True) as connection:
            if connection is None or size > self._most:
                return
            connection.execute("DELETE FROM answers WHERE key = ?", (stored.key,))
            connection.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    stored.key,
                    stored.scope,
                    stored.question,
                    vector,
                    stored.identity,
                    stored.version,
                    stored.found,
                    stored.refused,
                    stored.answer,
                    size,
                    now,
                    now,
                ),
            )
            connection.executemany(
                "INSERT INTO rests_on VALUES (?, ?)",
                [(stored.key, document) for document in stored.documents],
            )
            self._make_room(connection)

    def used(self, key: bytes, version: str) -> None:
        """Note that an answer was given again, and that it holds for a version of the index."""
        with self._work(write=True) as connection:
            if connection is not None:
                connection.execute(
                    "UPDATE answers SET used = ?, version = ? WHERE key = ?", (time.time(), version, key)
                )

    def drop(self, key: bytes) -> None:
        """Take an answer out."""
        with self._work(write=True) as connection:
            if connection is not None:
                connection.execute("DELETE FROM answers WHERE key = ?", (key,))

    def keep_only(self, documents: Collection[int]) -> int:
        """Take out the answers that rest on other documents than these; return how many."""
        return self._forget(lambda held: held not in documents)

    def forget(self, documents: Collection[int]) -> int:
        """Take out the answers that rest on one of some documents; return how many."""
        return self._forget(lambda held: held in documents)

    def _forget(self, is_gone: Callable[[int], bool]) -> int:
        with self._work(write=True, create=False) as connection:
            if connection is None:
                return 0
            held = connection.execute("SELECT DISTINCT document FROM rests_on").fetchall()
            query = "SELECT DISTINCT key FROM rests_on WHERE document = ?"
            keys = {key for row in held if is_gone(row[0]) for key in connection.execute(query, row)}
            connection.executemany("DELETE FROM answers WHERE key = ?", sorted(keys))
            return len(keys)
        return 0

    def clear(self) -> int:
        """Take everything out; return how many answers there were."""
        count = 0
        with self._work(write=True, create=False) as connection:
            if connection is not None:
                (count,) = connection.execute("SELECT COUNT(*) FROM answers").fetchone()
                connection.execute("DELETE FROM answers")
        with self._work(create=False) as connection:
            if connection is not None:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(count)

    def state(self) -> CacheState:
        """Return what is stored."""
        with self._work(create=False) as connection:
            if connection is not None:
                row = connection.execute(
                    "SELECT COUNT(*), TOTAL(refused), TOTAL(size), MIN(made), MAX(used) FROM answers"
                ).fetchone()
                (documents,) = connection.execute("SELECT COUNT(DISTINCT document) FROM rests_on").fetchone()
                return CacheState(
                    str(self.file), row[0], int(row[1]), documents, int(row[2]), self._most, row[3], row[4]
                )
        return CacheState(str(self.file), 0, 0, 0, 0, self._most, None, None)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _work(self, *, write: bool = False, create: bool = True) -> Iterator[sqlite3.Connection | None]:
        """Give the connection, to write in one transaction; None where there is none to be had."""
        with self._lock:
            connection = self._opened(create)
            try:
                if connection is not None and write:
                    with connection:
                        connection.execute("BEGIN IMMEDIATE")
                        yield connection
                else:
                    yield connection
            except sqlite3.Error as error:
                self._failed(error)

    def _opened(self, create: bool) -> sqlite3.Connection | None:
        try:
            return self._open(create)
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
            return None

    def _open(self, create: bool) -> sqlite3.Connection | None:
        if self._connection is None:
            if not create and not self.file.is_file():
                return None
            self.file.parent.mkdir(parents=True, exist_ok=True)
            if not self.file.exists():
                self.file.touch(mode=0o600)  # it holds what documents say
            connection = sqlite3.connect(
                self.file, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None
            )
            try:
                _prepare(connection)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _failed(self, error: Exception) -> None:
        level = logging.DEBUG if self._has_warned else logging.WARNING
        self._has_warned = True
        log.log(level, "stored answers are not used: %s (%s)", type(error).__name__, self.file)
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            for suffix in ("", "-wal", "-shm"):  # damaged: it is only a cache
                with suppress(OSError):
                    self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)

    def _make_room(self, connection: sqlite3.Connection) -> None:
        (size,) = connection.execute("SELECT TOTAL(size) FROM answers").fetchone()
        if size <= self._most:
            return
        gone = []
        for key, own in connection.execute("SELECT key, size FROM answers ORDER BY used, rowid"):
            if size <= _KEPT_SHARE * self._most:
                break
            gone.append((key,))
            size -= own
        connection.executemany("DELETE FROM answers WHERE key = ?", gone)


_COLUMNS = "key, scope, question, vector, identity, version, found, refused, answer, made"


def _stored(row: Sequence[object]) -> Stored:
    key, scope, question, vector, identity, version, found, refused, answer, made = row
    return Stored(
        key=key,  # type: ignore[arg-type]
        scope=scope,  # type: ignore[arg-type]
        question=str(question),
        identity=str(identity),
        version=str(version),
        found=found,  # type: ignore[arg-type]
        refused=bool(refused),
        answer=str(answer),
        vector=None if vector is None else np.frombuffer(vector, "<f4"),  # type: ignore[call-overload]
        made=float(made),  # type: ignore[arg-type]
    )


def _prepare(connection: sqlite3.Connection) -> None:
    turn_on_write_ahead_log(connection, within_seconds=_BUSY_SECONDS)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # what a document said is gone when it is
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == _VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute(
            "PRAGMA user_version"
        ).fetchone()  # another process may have been first
        if version != _VERSION:
            for table in ("rests_on", "answers"):
                connection.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.execute("ROLLBACK")
        raise
