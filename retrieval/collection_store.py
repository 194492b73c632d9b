"""Rows of one collection with their vectors and keyword postings in SQLite, in one transaction each.

Two faces stand on it: `PassageIndex` for the application and `FaissCollection` for Semantic Kernel.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retrieval.collection_schema import create_collection, drop_collection, index_fields
from retrieval.filters import Filter
from retrieval.id_set import IdSet
from retrieval.keyword_index import KeywordIndex
from retrieval.keyword_tokens import Term
from retrieval.stores.interface import Floats, Key, Row
from retrieval.stores.sql_collection import SqlCollection

if TYPE_CHECKING:
    from retrieval.database import Database

_MOST_FILTERS = 64


class CollectionStore(SqlCollection):
    """A collection in SQLite, searched by FAISS and by an index of words, which are derived from it."""

    _NO_LIMIT = "-1"
    _BUMP = "UPDATE meta SET value = value + 1 WHERE key = ?"

    database: Database

    def __init__(
        self,
        database: Database,
        name: str,
        *,
        dimension: int,
        fields: Sequence[str],
        indexed: Sequence[str] = (),
    ) -> None:
        """Describe a collection; `ensure` creates it.

        Args:
            database: where it is kept.
            name: of the collection.
            dimension: of its vectors.
            fields: of its rows' data, which can be filtered on.
            indexed: those of them for which filters are made fast.

        Raises:
            UsageError: the name or a field's name is not plain (letters, digits, underscore).
        """
        super().__init__(database, name, dimension=dimension, fields=fields)
        self._words = f"words_{name}"
        self._late = f"late_{name}"
        self._indexed = tuple(indexed)
        self._vectors: Any = None  # a VectorIndex, made when the first search needs FAISS
        self._keywords: KeywordIndex | None = None
        # The ids that filters hold for, of one generation: a cache, since callers come with the same ones again.
        self._allowed: tuple[int, dict[Filter, IdSet]] = (-1, {})

    # -- the dialect --------------------------------------------------------------------------------------

    @staticmethod
    def _column(field: str) -> str:
        return f"json_extract(data, '$.{field}')"

    def _condition(self, where: Filter | None) -> tuple[str, list[Any]]:
        return ("1", []) if where is None else where.sql(self._columns)

    def _among(self, ids: Sequence[int]) -> tuple[str, list[Any]]:
        return "id IN (SELECT value FROM json_each(?))", [json.dumps([int(row_id) for row_id in ids])]

    def _allowed_ids(self, connection: sqlite3.Connection, where: Filter | None) -> NDArray[np.int64]:
        allowed = self._ids(connection, where)
        if allowed is not None:
            return allowed.ids
        query = f"SELECT id FROM {self._rows} ORDER BY id"
        return np.array([row[0] for row in connection.execute(query)], np.int64)

    def exists(self) -> bool:
        """Say whether the collection was created."""
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return self.database.connection.execute(query, (self._rows,)).fetchone() is not None

    def _create(self, connection: sqlite3.Connection) -> None:
        create_collection(connection, self.name, indexed=self._indexed)
        last = self.database.get_meta(f"last_id:{self.name}")
        if last is not None:
            connection.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (self._rows, int(last)))

    def _drop(self, connection: sqlite3.Connection) -> None:
        # SQLite forgets the last id with the table; a FAISS index that holds it must not meet it again.
        connection.execute(
            "INSERT OR REPLACE INTO meta SELECT ?, seq FROM sqlite_sequence WHERE name = ?",
            (f"last_id:{self.name}", self._rows),
        )
        drop_collection(connection, self.name)

    def _insert(self, connection: sqlite3.Connection, row: Row) -> None:
        data = self._data_in(row.data)
        new = connection.execute(
            f"INSERT INTO {self._rows} (key, document_id, data, vector, digest) VALUES (?, ?, ?, ?, ?)",
            (row.key, row.document_id, data, row.vector.tobytes(), row.digest),
        ).lastrowid
        connection.execute(f"INSERT INTO {self._words} VALUES (?, ?)", (new, " ".join(row.tokens)))
        if row.late is not None:
            connection.execute(f"INSERT INTO {self._late} VALUES (?, ?)", (new, row.late))

    def _whole(
        self, connection: sqlite3.Connection, condition: str, parameters: Sequence[Any]
    ) -> Iterator[Row]:
        query = (
            f"SELECT key, data, vector, tokens, document_id, digest, codes FROM {self._rows}"
            f" JOIN {self._words} USING (id) LEFT JOIN {self._late} USING (id) WHERE {condition} ORDER BY id"
        )
        for key, data, vector, tokens, document_id, digest, codes in connection.execute(query, parameters):
            words = tokens.split(" ") if tokens else []
            yield Row(key, self._data_out(data), self._vector_out(vector), words, document_id, digest, codes)

    @staticmethod
    def _key_in(key: Key) -> Key:
        return key

    @staticmethod
    def _key_out(value: Any) -> Key:
        return value  # type: ignore[no-any-return]

    @staticmethod
    def _data_in(data: Mapping[str, Any]) -> str:
        return json.dumps(dict(data), ensure_ascii=False)

    @staticmethod
    def _data_out(value: Any) -> dict[str, Any]:
        return dict(json.loads(value))

    @staticmethod
    def _vector_out(value: Any) -> Floats:
        return np.frombuffer(value, np.float32)

    # -- what is searched ---------------------------------------------------------------------------------

    def retokenize(self, tokens_of: Callable[[dict[str, Any]], Sequence[str]]) -> None:
        """Replace what keyword search finds the rows by; they get new ids."""
        with self.changing() as connection:
            index_fields(connection, self.name, self._indexed)  # which older layouts lack
            super().retokenize(tokens_of)

    def known(self, digests: Sequence[bytes]) -> dict[bytes, tuple[Floats, bytes | None]]:
        """Return the vectors of texts that are in the collection already, by their digests."""
        query = (
            f"SELECT vector, codes FROM {self._rows} AS r LEFT JOIN {self._late} AS l ON l.id = r.id"
            " WHERE digest = ? LIMIT 1"
        )
        found: dict[bytes, tuple[Floats, bytes | None]] = {}
        with self.database.read() as connection:
            for digest in digests:
                row = connection.execute(query, (digest,)).fetchone()
                if row is not None:
                    found[digest] = self._vector_out(row[0]), row[1]
        return found

    def dense(self, vector: Floats, *, top: int, where: Filter | None = None) -> list[tuple[int, float]]:
        """Return (row id, cosine) pairs, best first, for a vector of length one."""
        with self.database.read() as connection:
            allowed = self._ids(connection, where)
            return list(self._vector_index().search(connection, self.generation, vector, top, allowed))

    def late(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Return the packed token vectors of those rows that have them, by id."""
        return dict(self._column_of(self._late, "codes", ids))

    def keyword(
        self, terms: Sequence[Term], *, top: int, where: Filter | None = None
    ) -> list[tuple[int, float]]:
        """Return (row id, BM25 score) pairs, best first."""
        with self.database.read() as connection:
            allowed = self._ids(connection, where)
            return self._keyword_index().search(connection, self.generation, terms, top, allowed)

    def keyword_scores(self, terms: Sequence[Term], ids: Sequence[int]) -> tuple[Floats, float]:
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
        self.database.shrink_log()

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

    def _vector_index(self) -> Any:
        if self._vectors is None:
            from retrieval.vector_index import VectorIndex  # FAISS takes a while to import

            uuid = self.database.get_meta("uuid") or ""
            self._vectors = VectorIndex(
                Path(self.database.folder), self.name, self._rows, self.dimension, uuid
            )
        return self._vectors

    def _keyword_index(self) -> KeywordIndex:
        if self._keywords is None:
            uuid = self.database.get_meta("uuid") or ""
            self._keywords = KeywordIndex(Path(self.database.folder), self.name, self._words, uuid)
        return self._keywords
