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

from retrieval.collection_schema import create_collection, drop_collection, index_fields
from retrieval.database import Database
from retrieval.embedding import unit
from retrieval.errors import IndexDamagedError, UsageError
from retrieval.filters import Filter
from retrieval.fusion import reciprocal_rank_fusion
from retrieval.id_set import IdSet
from retrieval.keyword_index import KeywordIndex
from retrieval.keyword_tokens import Term

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}")
_LEG_DEPTH = 100
_MOST_FILTERS = 64

Key = str | int


@dataclass(frozen=True, slots=True)
class Row:
    """A row to store.

    `tokens` are what keyword search finds it by; `vector` has shape (dimension,); `digest` names the text
    that the vector is of, see `CollectionStore.known`; `late` are its packed token vectors.
    """

    key: Key
    data: Mapping[str, Any]
    vector: NDArray[np.float32]
    tokens: Sequence[str] = ()
    document_id: int | None = None
    digest: bytes | None = None
    late: bytes | None = None


@dataclass(frozen=True, slots=True)
class Vector:
    """What a row is found by beside its words: see `Row`."""

    vector: NDArray[np.float32]
    digest: bytes | None = None
    late: bytes | None = None


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

    def __init__(
        self,
        database: Database,
        name: str,
        *,
        dimension: int,
        fields: Sequence[str],
        indexed: Sequence[str] = (),
        derived: Path | None = None,
    ) -> None:
        """Describe a collection; `ensure` creates it.

        Args:
            database: where it is kept.
            name: of the collection.
            dimension: of its vectors.
            fields: of its rows' data, which can be filtered on.
            indexed: those of them for which filters are made fast.
            derived: where the files that are derived from it are kept; the database's folder unless given.

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
        self._late = f"late_{name}"
        self._indexed = tuple(indexed)
        self._derived = derived or Path(database.folder)
        self._columns = {"key": "key"} | {name: f"json_extract(data, '$.{name}')" for name in fields}
        self._vectors: Any = None  # a VectorIndex, made when the first search needs FAISS
        self._keywords: KeywordIndex | None = None
        # The ids that filters hold for, of one generation: a cache, since callers come with the same ones again.
        self._allowed: tuple[int, dict[Filter, IdSet]] = (-1, {})

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
            create_collection(connection, self.name, indexed=self._indexed)
            last = self.database.get_meta(f"last_id:{self.name}")
            if last is not None:
                connection.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (self._rows, int(last)))
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
            drop_collection(connection, self.name)
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
                data = json.dumps(dict(row.data), ensure_ascii=False)
                self._insert(
                    connection,
                    (row.key, row.document_id, data, unit(vector).tobytes(), row.digest),
                    " ".join(row.tokens),
                    row.late,
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
        """Change the data of a document's rows; vectors stay, and ids where the tokens do.

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
                    self._renew(connection, row_id, tokens)

    def retokenize(self, tokens_of: Callable[[dict[str, Any]], Sequence[str]]) -> None:
        """Replace what keyword search finds the rows by.

        The rows get new ids, as changed rows do, so that what is derived from the old tokens is not taken for
        current.
        """
        with self.changing() as connection:
            index_fields(connection, self.name, self._indexed)  # which older layouts lack
            for (row_id,) in connection.execute(f"SELECT id FROM {self._rows} ORDER BY id").fetchall():
                query = f"SELECT data FROM {self._rows} WHERE id = ?"
                data = json.loads(connection.execute(query, (row_id,)).fetchone()[0])
                self._renew(connection, row_id, tokens_of(data))

    def _renew(self, connection: sqlite3.Connection, row_id: int, tokens: Sequence[str]) -> None:
        """Give a row other tokens, and with them a new id."""
        query = f"SELECT key, document_id, data, vector, digest FROM {self._rows} WHERE id = ?"
        values = connection.execute(query, (row_id,)).fetchone()
        late = connection.execute(f"SELECT codes FROM {self._late} WHERE id = ?", (row_id,)).fetchone()
        connection.execute(f"DELETE FROM {self._rows} WHERE id = ?", (row_id,))
        self._insert(connection, values, " ".join(tokens), None if late is None else late[0])

    def ids(self) -> list[int]:
        """Return the ids of all rows, in the order in which they were written."""
        query = f"SELECT id FROM {self._rows} ORDER BY id"
        return [row[0] for row in self.database.connection.execute(query)]

    def revectorize(self, ids: Sequence[int], vectors: Sequence[Vector]) -> None:
        """Give rows other vectors, and with them new ids; what words find them by stays.

        Call it within `changing`, and with all the rows where the dimension changes.

        Args:
            ids: of rows that are there.
            vectors: of each row.
        """
        connection = self.database.connection
        for row_id, new in zip(ids, vectors, strict=True):
            query = (
                f"SELECT key, document_id, data, tokens FROM {self._rows} AS r"
                f" JOIN {self._words} AS w ON w.id = r.id WHERE r.id = ?"
            )
            key, document_id, data, tokens = connection.execute(query, (row_id,)).fetchone()
            connection.execute(f"DELETE FROM {self._rows} WHERE id = ?", (row_id,))
            self._insert(
                connection,
                (key, document_id, data, unit(new.vector).tobytes(), new.digest),
                tokens,
                new.late,
            )

    def _insert(
        self, connection: sqlite3.Connection, values: Sequence[Any], tokens: str, late: bytes | None
    ) -> None:
        """Write a row (key, document id, data, vector, digest) under a new id."""
        row_id = connection.execute(
            f"INSERT INTO {self._rows} (key, document_id, data, vector, digest) VALUES (?, ?, ?, ?, ?)",
            values,
        ).lastrowid
        connection.execute(f"INSERT INTO {self._words} VALUES (?, ?)", (row_id, tokens))
        if late is not None:
            connection.execute(f"INSERT INTO {self._late} VALUES (?, ?)", (row_id, late))

    # -- reading ------------------------------------------------------------------------------------------

    def known(self, digests: Sequence[bytes]) -> dict[bytes, tuple[NDArray[np.float32], bytes | None]]:
        """Return the vectors of texts that are in the collection already, by their digests."""
        query = (
            f"SELECT vector, codes FROM {self._rows} AS r LEFT JOIN {self._late} AS l ON l.id = r.id"
            " WHERE digest = ? LIMIT 1"
        )
        found: dict[bytes, tuple[NDArray[np.float32], bytes | None]] = {}
        with self.database.read() as connection:
            for digest in digests:
                row = connection.execute(query, (digest,)).fetchone()
                if row is not None:
                    found[digest] = np.frombuffer(row[0], np.float32), row[1]
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
        terms: Sequence[Term] | None = None,
        where: Filter | None = None,
        vectors: bool = False,
    ) -> list[Hit]:
        """Return the best rows, best first; the filter is applied before the search, so k come back when k exist.

        Args:
            vector: the query's, shape (dimension,); need not have length one.
            top: how many, at least 1.
            skip: how many of the best to leave out.
            terms: words of the query; given, the keyword ranking is fused in and `score` is the fused one.
            where: a filter over the declared fields.
            vectors: return the rows' vectors too.
        """
        if top < 1 or skip < 0:
            raise UsageError(f"a search needs top >= 1 and skip >= 0, not top={top}, skip={skip}")
        with self.database.read():
            depth = top + skip if terms is None else max(_LEG_DEPTH, 2 * (top + skip))
            ranked = self.dense(unit(vector), top=depth, where=where)
            if terms is not None:
                words = self.keyword(terms, top=depth, where=where)
                ranked = reciprocal_rank_fusion([[row for row, _ in ranked], [row for row, _ in words]])
            chosen = ranked[skip : skip + top]
            found = self.rows([row_id for row_id, _ in chosen], vectors=vectors)
        return [replace(found[row_id], score=score) for row_id, score in chosen]

    def dense(
        self, vector: NDArray[np.float32], *, top: int, where: Filter | None = None
    ) -> list[tuple[int, float]]:
        """Return (row id, cosine) pairs, best first, for a vector of length one."""
        with self.database.read() as connection:
            allowed = self._ids(connection, where)
            return list(self._vector_index().search(connection, self.generation, vector, top, allowed))

    def rows(self, ids: Sequence[int], *, vectors: bool = True) -> dict[int, Hit]:
        """Return rows by id; an id that is not there is left out."""
        with self.database.read():
            found = [hit for row_id in ids for hit in self._select("id = ?", [row_id], vectors=vectors)]
        return {hit.id: hit for hit in found}

    def vectors(self, ids: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        """Return the vectors of rows by id, each of shape (dimension,)."""
        return {
            row_id: np.frombuffer(blob, np.float32)
            for row_id, blob in self._column_of(self._rows, "vector", ids)
        }

    def late(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Return the packed token vectors of those rows that have them, by id."""
        return dict(self._column_of(self._late, "codes", ids))

    def _column_of(self, table: str, column: str, ids: Sequence[int]) -> Iterator[tuple[int, Any]]:
        query = f"SELECT id, {column} FROM {table} WHERE id IN (SELECT value FROM json_each(?))"
        yield from self.database.connection.execute(query, (json.dumps([int(row_id) for row_id in ids]),))

    def field_of(self, ids: Sequence[int], field: str) -> dict[int, Any]:
        """Return a field of rows by id."""
        return dict(self._column_of(self._rows, self._field(field), ids))

    def values(self, field: str) -> list[Any]:
        """Return the values of a field that rows have, each once, in order."""
        query = f"SELECT DISTINCT {self._field(field)} AS value FROM {self._rows} ORDER BY value"
        return [row[0] for row in self.database.connection.execute(query)]

    def sample(self, where: Filter | None, most: int) -> list[int]:
        """Return the ids of at most `most` rows that a filter holds for, spread evenly, the same ones each time."""
        with self.database.read() as connection:
            allowed = self._ids(connection, where)
            if allowed is None:
                query = f"SELECT id FROM {self._rows} ORDER BY id"
                ids = np.array([row[0] for row in connection.execute(query)], np.int64)
            else:
                ids = allowed.ids
        if not len(ids):
            return []
        places = np.unique(np.linspace(0, len(ids) - 1, min(most, len(ids))).astype(np.int64))
        return [int(ids[place]) for place in places]

    def keyword(
        self, terms: Sequence[Term], *, top: int, where: Filter | None = None
    ) -> list[tuple[int, float]]:
        """Return (row id, BM25 score) pairs, best first."""
        with self.database.read() as connection:
            allowed = self._ids(connection, where)
            return self._keyword_index().search(connection, self.generation, terms, top, allowed)

    def keyword_scores(self, terms: Sequence[Term], ids: Sequence[int]) -> tuple[NDArray[np.float32], float]:
        """Return the BM25 scores of rows, shape (len(ids),), and what a row without end could have."""
        with self.database.read() as connection:
            ids_array = np.array(ids, np.int64)
            return self._keyword_index().scores_of(connection, self.generation, terms, ids_array)

    def document_frequencies(self, tokens: Sequence[str]) -> dict[str, int]:
        """Return in how many rows each token stands."""
        with self.database.read() as connection:
            return self._keyword_index().frequencies(connection, self.generation, tokens)

    def save_index(self) -> None:
        """Write the files that are derived from the present generation, where they are not there.

        A writer that was killed may have left none, or halves of them, which are taken away.
        """
        with self.database.read() as connection:
            self._vector_index().save(connection, self.generation)
            self._keyword_index().save(connection, self.generation)

    def _ids(self, connection: sqlite3.Connection, where: Filter | None) -> IdSet | None:
        """Return the rows that a filter holds for; None for no filter."""
        if where is None:
            return None
        generation, known = self._allowed
        if generation != self.generation:
            known = {}
            self._allowed = self.generation, known
        if where not in known:
            condition, parameters = where.sql(self._columns)
            rows = connection.execute(
                f"SELECT id FROM {self._rows} WHERE {condition} ORDER BY id", parameters
            )
            if len(known) >= _MOST_FILTERS:
                known.clear()
            known[where] = IdSet(np.array([row[0] for row in rows], np.int64))
        return known[where]

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
            self._vectors = VectorIndex(self._derived, self.name, self._rows, self.dimension, uuid)
        return self._vectors

    def _keyword_index(self) -> KeywordIndex:
        if self._keywords is None:
            uuid = self.database.get_meta("uuid") or ""
            self._keywords = KeywordIndex(self._derived, self.name, self._words, uuid)
        return self._keywords
