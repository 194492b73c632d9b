"""Rows of one collection with their vectors and keyword postings, in one transaction each.

Two faces stand on it: `PassageIndex` for the application and `FaissCollection` for Semantic Kernel.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.database import Database
from retrieval.embedding import unit
from retrieval.errors import IndexDamagedError, UsageError
from retrieval.filters import Filter
from retrieval.fusion import reciprocal_rank_fusion

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}")
_PARTS = re.compile(r"[^\W_]+")  # as FTS5's unicode61 cuts a token
_LEG_DEPTH = 100

Key = str | int


@dataclass(frozen=True, slots=True)
class Row:
    """A row to store.

    `tokens` are what keyword search finds it by; `vector` has shape (dimension,); `digest` names the text
    that the vector is of, see `CollectionStore.vectors_of`.
    """

    key: Key
    data: Mapping[str, Any]
    vector: NDArray[np.float32]
    tokens: Sequence[str] = ()
    document_id: int | None = None
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found."""

    id: int
    key: Key
    data: dict[str, Any]
    score: float
    vector: NDArray[np.float32] | None = field(default=None, compare=False)


class CollectionStore:
    """One collection: stable int64 row ids that are never reused, unique keys, JSON data, one vector a row.

    Vectors are stored with length one, so that the inner product is the cosine.
    """

    def __init__(self, database: Database, name: str, *, dimension: int, fields: Sequence[str]) -> None:
        """Describe a collection; `ensure` creates it.

        Raises:
            UsageError: the name or a field's name is not plain (letters, digits, underscore).
        """
        for word in (name, *fields):
            if not _NAME.fullmatch(word):
                raise UsageError(
                    f"'{word}' cannot be a name of a collection or field: use letters, digits and _"
                )
        self.database = database
        self.name = name
        self.dimension = dimension
        self._rows = f"rows_{name}"
        self._words = f"words_{name}"
        self._columns = {"key": "key"} | {name: f"json_extract(data, '$.{name}')" for name in fields}
        self._vectors: Any = None  # a VectorIndex, made when the first search needs FAISS

    # -- life ---------------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Say whether the collection was created."""
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return self.database.connection.execute(query, (self._rows,)).fetchone() is not None

    def ensure(self) -> None:
        """Create the collection if it is not there.

        Raises:
            IndexDamagedError: it is there with another dimension.
        """
        if self.exists():
            held = self.database.get_meta(f"dimension:{self.name}")
            if held != str(self.dimension):
                raise IndexDamagedError(
                    f"the collection '{self.name}' in {self.database.folder} holds vectors of {held} dimensions, "
                    f"the embedder gives {self.dimension}: use the same embedder, or another --index folder"
                )
            return
        with self.database.write() as connection:
            connection.execute(
                f"CREATE TABLE {self._rows} (id INTEGER PRIMARY KEY AUTOINCREMENT, key NOT NULL UNIQUE,"
                " document_id INTEGER REFERENCES documents (id) ON DELETE CASCADE,"
                " data TEXT NOT NULL, vector BLOB NOT NULL, digest BLOB)"
            )
            last = self.database.get_meta(f"last_id:{self.name}")
            if last is not None:
                connection.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (self._rows, int(last)))
            connection.execute(f"CREATE INDEX {self._rows}_document ON {self._rows} (document_id)")
            connection.execute(f"CREATE INDEX {self._rows}_digest ON {self._rows} (digest)")
            connection.execute(
                f"CREATE VIRTUAL TABLE {self._words} USING fts5 (tokens, tokenize = 'unicode61')"
            )
            connection.execute(
                f"CREATE TRIGGER {self._rows}_gone AFTER DELETE ON {self._rows} BEGIN"
                f" DELETE FROM {self._words} WHERE rowid = old.id; END"
            )
            connection.execute(
                "INSERT INTO meta VALUES (?, ?)", (f"dimension:{self.name}", str(self.dimension))
            )
            connection.execute("INSERT OR IGNORE INTO meta VALUES (?, '0')", (f"generation:{self.name}",))

    def drop(self) -> None:
        """Delete the collection and everything in it."""
        if not self.exists():
            return
        with self.database.write() as connection:
            # SQLite forgets the last id with the table; a FAISS index that holds it must not meet it again.
            connection.execute(
                "INSERT OR REPLACE INTO meta SELECT ?, seq FROM sqlite_sequence WHERE name = ?",
                (f"last_id:{self.name}", self._rows),
            )
            connection.execute(f"DROP TABLE {self._rows}")
            connection.execute(f"DROP TABLE {self._words}")
            connection.execute("DELETE FROM meta WHERE key = ?", (f"dimension:{self.name}",))
            # The generation stays and goes on counting, so that an old FAISS file is never taken for current.
            self._bump(connection)

    # -- writing ------------------------------------------------------------------------------------------

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Write in one transaction and start a new generation."""
        with self.database.write() as connection:
            yield connection
            self._bump(connection)

    def _bump(self, connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE meta SET value = value + 1 WHERE key = ?", (f"generation:{self.name}",))

    def upsert(self, rows: Sequence[Row]) -> None:
        """Insert rows; a row whose key is there is replaced, and gets a new id."""
        with self.changing() as connection:
            for row in rows:
                vector = np.ascontiguousarray(row.vector, np.float32)
                if vector.shape != (self.dimension,) or not np.isfinite(vector).all():
                    raise UsageError(
                        f"the vector of '{row.key}' must hold {self.dimension} finite numbers, got shape {vector.shape}"
                    )
                connection.execute(f"DELETE FROM {self._rows} WHERE key = ?", (row.key,))
                cursor = connection.execute(
                    f"INSERT INTO {self._rows} (key, document_id, data, vector, digest) VALUES (?, ?, ?, ?, ?)",
                    (
                        row.key,
                        row.document_id,
                        json.dumps(dict(row.data), ensure_ascii=False),
                        unit(vector).tobytes(),
                        row.digest,
                    ),
                )
                connection.execute(
                    f"INSERT INTO {self._words} (rowid, tokens) VALUES (?, ?)",
                    (cursor.lastrowid, " ".join(row.tokens)),
                )

    def delete(self, keys: Sequence[Key]) -> list[Key]:
        """Delete rows by key; return the keys that were not there."""
        missing: list[Key] = []
        with self.changing() as connection:
            for key in keys:
                if connection.execute(f"DELETE FROM {self._rows} WHERE key = ?", (key,)).rowcount == 0:
                    missing.append(key)
        return missing

    def rewrite(self, document_id: int, change: Callable[[dict[str, Any]], Sequence[str] | None]) -> None:
        """Change the data of a document's rows; ids and vectors stay.

        `change` changes a row's data in place and returns its new search tokens, or None to keep the old.
        """
        with self.changing() as connection:
            query = f"SELECT id, data FROM {self._rows} WHERE document_id = ?"
            for row_id, text in connection.execute(query, (document_id,)).fetchall():
                data = json.loads(text)
                tokens = change(data)
                connection.execute(
                    f"UPDATE {self._rows} SET data = ? WHERE id = ?",
                    (json.dumps(data, ensure_ascii=False), row_id),
                )
                if tokens is not None:
                    connection.execute(
                        f"UPDATE {self._words} SET tokens = ? WHERE rowid = ?", (" ".join(tokens), row_id)
                    )

    # -- reading ------------------------------------------------------------------------------------------

    def vectors_of(self, digests: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Return the vectors of texts that are in the collection already, by their digests."""
        query = f"SELECT vector FROM {self._rows} WHERE digest = ? LIMIT 1"
        found: dict[bytes, NDArray[np.float32]] = {}
        with self.database.read() as connection:
            for digest in digests:
                row = connection.execute(query, (digest,)).fetchone()
                if row is not None:
                    found[digest] = np.frombuffer(row[0], np.float32)
        return found

    @property
    def generation(self) -> int:
        """How often the collection was changed."""
        return int(self.database.get_meta(f"generation:{self.name}") or 0)

    def count(self, where: Filter | None = None) -> int:
        """Count the rows that a filter holds for."""
        condition, parameters = self._condition(where)
        query = f"SELECT count(*) FROM {self._rows} WHERE {condition}"
        return int(self.database.connection.execute(query, parameters).fetchone()[0])

    def get(self, keys: Sequence[Key], *, vectors: bool = False) -> list[Hit]:
        """Return the rows of the keys that exist, in the order of `keys`."""
        found = []
        for key in keys:
            found += self._select("key = ?", [key], vectors=vectors)
        return found

    def select(
        self,
        where: Filter | None = None,
        *,
        order_by: Mapping[str, bool] | None = None,
        skip: int = 0,
        top: int = -1,
        vectors: bool = False,
    ) -> list[Hit]:
        """Return rows that a filter holds for, ordered by fields (True is ascending), then by age."""
        condition, parameters = self._condition(where)
        order = [f"{self._field(name)} {'ASC' if up else 'DESC'}" for name, up in (order_by or {}).items()]
        tail = f" ORDER BY {', '.join([*order, 'id'])} LIMIT ? OFFSET ?"
        return self._select(condition, [*parameters, top, skip], tail=tail, vectors=vectors)

    def search(
        self,
        vector: NDArray[np.float32],
        *,
        top: int,
        skip: int = 0,
        tokens: Sequence[str] | None = None,
        where: Filter | None = None,
        vectors: bool = False,
    ) -> list[Hit]:
        """Return the best rows, best first; the filter is applied before the search, so k come back when k exist.

        Args:
            vector: the query's, shape (dimension,); need not have length one.
            top: how many, at least 1.
            skip: how many of the best to leave out.
            tokens: words of the query; given, the keyword ranking is fused in and `score` is the fused one.
            where: a filter over the declared fields.
            vectors: return the rows' vectors too.
        """
        if top < 1 or skip < 0:
            raise UsageError(f"a search needs top >= 1 and skip >= 0, not top={top}, skip={skip}")
        with self.database.read():
            depth = top + skip if tokens is None else max(_LEG_DEPTH, 2 * (top + skip))
            ranked = self.dense(unit(vector), top=depth, where=where)
            if tokens is not None:
                words = self.keyword(tokens, top=depth, where=where)
                ranked = reciprocal_rank_fusion([[row for row, _ in ranked], [row for row, _ in words]])
            chosen = ranked[skip : skip + top]
            found = self.rows([row_id for row_id, _ in chosen], vectors=vectors)
        return [replace(found[row_id], score=score) for row_id, score in chosen]

    def dense(
        self, vector: NDArray[np.float32], *, top: int, where: Filter | None = None
    ) -> list[tuple[int, float]]:
        """Return (row id, cosine) pairs, best first, for a vector of length one."""
        with self.database.read() as connection:
            allowed = None if where is None else self._ids(connection, where)
            return list(self._vector_index().search(connection, self.generation, vector, top, allowed))

    def rows(self, ids: Sequence[int], *, vectors: bool = True) -> dict[int, Hit]:
        """Return rows by id; an id that is not there is left out."""
        with self.database.read():
            found = [hit for row_id in ids for hit in self._select("id = ?", [row_id], vectors=vectors)]
        return {hit.id: hit for hit in found}

    def groups(self, field: str) -> dict[Any, NDArray[np.float32]]:
        """Return the mean vector of the rows of each value of a field, each of shape (dimension,)."""
        sums: dict[Any, NDArray[np.float64]] = {}
        counts: dict[Any, int] = {}
        query = f"SELECT {self._field(field)}, vector FROM {self._rows}"
        for value, blob in self.database.connection.execute(query):
            sums[value] = sums.get(value, 0) + np.frombuffer(blob, np.float32).astype(np.float64)
            counts[value] = counts.get(value, 0) + 1
        return {value: (total / counts[value]).astype(np.float32) for value, total in sums.items()}

    def keyword(
        self, tokens: Sequence[str], *, top: int, where: Filter | None = None
    ) -> list[tuple[int, float]]:
        """Return (row id, BM25 score) pairs, best first."""
        words = [token.replace('"', "") for token in dict.fromkeys(tokens)]
        match = " OR ".join(f'"{word}"' for word in words if any(c.isalnum() for c in word))
        if not match:
            return []
        condition, parameters = self._condition(where)
        filtered = "" if where is None else f" AND rowid IN (SELECT id FROM {self._rows} WHERE {condition})"
        query = (
            f"SELECT rowid, -bm25({self._words}) AS score FROM {self._words} WHERE {self._words} MATCH ?"
            f"{filtered} ORDER BY score DESC, rowid LIMIT ?"
        )
        rows = self.database.connection.execute(query, [match, *parameters, top])
        return [(int(row_id), float(score)) for row_id, score in rows]

    def document_frequencies(self, tokens: Sequence[str]) -> dict[str, int]:
        """Return in how many rows each token stands; of a compound, in how many its rarest part stands."""
        with self.database.read() as connection:
            connection.execute(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS temp.{self._words}_terms"
                f" USING fts5vocab (main, {self._words}, row)"
            )
            query = f"SELECT doc FROM temp.{self._words}_terms WHERE term = ?"
            found = {}
            for token in tokens:
                parts = ["".join(part) for part in _PARTS.findall(token)]
                rows = [connection.execute(query, (part,)).fetchone() for part in parts]
                found[token] = min((row[0] if row else 0 for row in rows), default=0)
            return found

    def save_index(self) -> None:
        """Write the FAISS file for the present generation."""
        with self.database.read() as connection:
            self._vector_index().save(connection, self.generation)

    def _ids(self, connection: sqlite3.Connection, where: Filter) -> NDArray[np.int64]:
        condition, parameters = self._condition(where)
        rows = connection.execute(f"SELECT id FROM {self._rows} WHERE {condition}", parameters)
        return np.array([row[0] for row in rows], np.int64)

    def _condition(self, where: Filter | None) -> tuple[str, list[Any]]:
        return ("1", []) if where is None else where.sql(self._columns)

    def _field(self, name: str) -> str:
        if name not in self._columns:
            raise UsageError(
                f"there is no field '{name}' to order by; there are {', '.join(sorted(self._columns))}"
            )
        return self._columns[name]

    def _select(self, condition: str, parameters: list[Any], *, tail: str = "", vectors: bool) -> list[Hit]:
        column = ", vector" if vectors else ""
        query = f"SELECT id, key, data{column} FROM {self._rows} WHERE {condition}{tail}"
        return [
            Hit(
                row[0],
                row[1],
                json.loads(row[2]),
                0.0,
                vector=np.frombuffer(row[3], np.float32) if vectors else None,
            )
            for row in self.database.connection.execute(query, parameters)
        ]

    def _vector_index(self) -> Any:
        if self._vectors is None:
            from retrieval.vector_index import VectorIndex  # FAISS takes a while to import

            uuid = self.database.get_meta("uuid") or ""
            self._vectors = VectorIndex(
                Path(self.database.folder), self.name, self._rows, self.dimension, uuid
            )
        return self._vectors
