"""What the collections of SQLite and of PostgreSQL share: rows of one table, written and read by the same SQL."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding import unit
from retrieval.filters import Filter
from retrieval.stores.interface import Collection, Floats, Hit, IndexDatabase, Key, Row, Vector, spread

Ids = NDArray[np.int64]


class SqlCollection(Collection):
    """A collection in tables of which `rows_NAME` has the columns id, key, document_id, data, vector, digest.

    What differs between the dialects are the abstract methods. Statements mark their parameters by `?`.
    """

    _NO_LIMIT: str
    _BUMP: str
    """Adds one to the value of the key that is its parameter."""

    def __init__(self, database: IndexDatabase, name: str, *, dimension: int, fields: Sequence[str]) -> None:
        super().__init__(database, name, dimension=dimension, fields=fields)
        self._rows = f"rows_{name}"
        self._columns = {"key": "key"} | {name: self._column(name) for name in fields}

    # -- the dialect --------------------------------------------------------------------------------------

    @staticmethod
    @abstractmethod
    def _column(field: str) -> str:
        """Return the expression of a field of the data."""

    @abstractmethod
    def _condition(self, where: Filter | None) -> tuple[str, list[Any]]:
        """Return a filter as a condition, and its parameters."""

    @abstractmethod
    def _among(self, ids: Sequence[int]) -> tuple[str, list[Any]]:
        """Return the condition that a row is one of these."""

    @abstractmethod
    def _allowed_ids(self, connection: Any, where: Filter | None) -> Sequence[int] | Ids:
        """Return the ids of the rows that a filter holds for, ascending."""

    @abstractmethod
    def _create(self, connection: Any) -> None:
        """Create the tables."""

    @abstractmethod
    def _drop(self, connection: Any) -> None:
        """Drop the tables."""

    @abstractmethod
    def _insert(self, connection: Any, row: Row) -> None:
        """Insert a row whose vector has length one."""

    @abstractmethod
    def _whole(self, connection: Any, condition: str, parameters: Sequence[Any]) -> Iterator[Row]:
        """Yield rows as they were inserted, by id."""

    @staticmethod
    @abstractmethod
    def _key_in(key: Key) -> Any: ...

    @staticmethod
    @abstractmethod
    def _key_out(value: Any) -> Key: ...

    @staticmethod
    @abstractmethod
    def _data_in(data: Mapping[str, Any]) -> Any: ...

    @staticmethod
    @abstractmethod
    def _data_out(value: Any) -> dict[str, Any]: ...

    @staticmethod
    @abstractmethod
    def _vector_out(value: Any) -> Floats: ...

    # -- life ---------------------------------------------------------------------------------------------

    def ensure(self) -> None:
        """Create the collection if it is not there.

        Raises:
            IndexDamagedError: it is there with another dimension.
        """
        if self.exists():
            self.check_dimension()
            return
        with self.database.write() as connection:
            self._create(connection)
            query = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO NOTHING"
            connection.execute(query, (f"dimension:{self.name}", str(self.dimension)))
            connection.execute(query, (f"generation:{self.name}", "0"))

    def drop(self) -> None:
        """Delete the collection and everything in it."""
        if not self.exists():
            return
        with self.database.write() as connection:
            self._drop(connection)
            connection.execute("DELETE FROM meta WHERE key = ?", (f"dimension:{self.name}",))
            # The generation stays and goes on counting, so that nothing older is ever taken for current.
            self._bump(connection)

    # -- writing ------------------------------------------------------------------------------------------

    @contextmanager
    def changing(self) -> Iterator[Any]:
        """Write in one transaction and start a new generation."""
        with self.database.write() as connection:
            yield connection
            self._bump(connection)

    def _bump(self, connection: Any) -> None:
        connection.execute(self._BUMP, (f"generation:{self.name}",))

    def upsert(self, rows: Sequence[Row]) -> None:
        """Insert rows; a row whose key is there is replaced, and gets a new id."""
        with self.changing() as connection:
            for row in rows:
                vector = self.direction(row)
                connection.execute(f"DELETE FROM {self._rows} WHERE key = ?", (self._key_in(row.key),))
                self._insert(connection, replace(row, vector=vector))

    def delete(self, keys: Sequence[Key]) -> list[Key]:
        """Delete rows by key; return the keys that were not there."""
        missing: list[Key] = []
        with self.changing() as connection:
            for key in keys:
                query = f"DELETE FROM {self._rows} WHERE key = ?"
                if connection.execute(query, (self._key_in(key),)).rowcount == 0:
                    missing.append(key)
        return missing

    def rewrite(self, document_id: int, change: Callable[[dict[str, Any]], Sequence[str] | None]) -> None:
        """Change the data of a document's rows; vectors stay, and ids where the tokens do."""
        with self.changing() as connection:
            query = f"SELECT id, data FROM {self._rows} WHERE document_id = ? ORDER BY id"
            for row_id, held in connection.execute(query, (document_id,)).fetchall():
                data = self._data_out(held)
                tokens = change(data)
                update = f"UPDATE {self._rows} SET data = ? WHERE id = ?"
                connection.execute(update, (self._data_in(data), row_id))
                if tokens is not None:
                    self._renew(connection, row_id, tokens)

    def retokenize(self, tokens_of: Callable[[dict[str, Any]], Sequence[str]]) -> None:
        """Replace what keyword search finds the rows by; they get new ids."""
        with self.changing() as connection:
            for (row_id,) in connection.execute(f"SELECT id FROM {self._rows} ORDER BY id").fetchall():
                query = f"SELECT data FROM {self._rows} WHERE id = ?"
                data = self._data_out(connection.execute(query, (row_id,)).fetchone()[0])
                self._renew(connection, row_id, tokens_of(data))

    def redimension(self, dimension: int) -> None:
        """Note how long the vectors are from now on; for a transaction that replaces them all."""
        self.database.set_meta(f"dimension:{self.name}", str(dimension))

    def revectorize(self, ids: Sequence[int], vectors: Sequence[Vector]) -> None:
        """Give rows other vectors, and with them new ids; what words find them by stays."""
        with self.changing() as connection:
            for row_id, new in zip(ids, vectors, strict=True):
                (row,) = self._whole(connection, "id = ?", [row_id])
                connection.execute(f"DELETE FROM {self._rows} WHERE id = ?", (row_id,))
                changed = replace(row, vector=unit(new.vector), digest=new.digest, late=new.late)
                self._insert(connection, changed)

    def _renew(self, connection: Any, row_id: int, tokens: Sequence[str]) -> None:
        """Give a row other tokens, and with them a new id."""
        (row,) = self._whole(connection, "id = ?", [row_id])
        connection.execute(f"DELETE FROM {self._rows} WHERE id = ?", (row_id,))
        self._insert(connection, replace(row, tokens=tokens))

    # -- reading ------------------------------------------------------------------------------------------

    @property
    def generation(self) -> int:
        """How often the collection was changed."""
        return int(self.database.get_meta(f"generation:{self.name}") or 0)

    def count(self, where: Filter | None = None) -> int:
        """Count the rows that a filter holds for."""
        condition, parameters = self._condition(where)
        with self.database.read() as connection:
            query = f"SELECT count(*) FROM {self._rows} WHERE {condition}"
            return int(connection.execute(query, parameters).fetchone()[0])

    def get(self, keys: Sequence[Key], *, vectors: bool = False) -> list[Hit]:
        """Return the rows of the keys that exist, in the order of `keys`."""
        found = []
        for key in keys:
            found += self._select("key = ?", [self._key_in(key)], vectors=vectors)
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
        order = [
            f"{self._columns[self.check_field(name)]} {'ASC' if up else 'DESC'}"
            for name, up in (order_by or {}).items()
        ]
        limit = self._NO_LIMIT if top < 0 else str(int(top))
        tail = f" ORDER BY {', '.join([*order, 'id'])} LIMIT {limit} OFFSET {int(skip)}"
        return self._select(condition, parameters, tail=tail, vectors=vectors)

    def rows(self, ids: Sequence[int], *, vectors: bool = True) -> dict[int, Hit]:
        """Return rows by id, in the order of the ids; an id that is not there is left out."""
        found = {hit.id: hit for hit in self._select(*self._among(ids), vectors=vectors)}
        return {row_id: found[row_id] for row_id in ids if row_id in found}

    def whole(self, document_id: int) -> Iterator[Row]:
        """Yield the rows of a document as they are stored, in the order of their ids."""
        with self.database.read() as connection:
            yield from self._whole(connection, "document_id = ?", [document_id])

    def _select(
        self, condition: str, parameters: Sequence[Any], *, tail: str = "", vectors: bool
    ) -> list[Hit]:
        column = ", vector" if vectors else ""
        query = f"SELECT id, key, data{column} FROM {self._rows} WHERE {condition}{tail}"
        with self.database.read() as connection:
            return [
                Hit(
                    row[0],
                    self._key_out(row[1]),
                    self._data_out(row[2]),
                    0.0,
                    vector=self._vector_out(row[3]) if vectors else None,
                )
                for row in connection.execute(query, parameters)
            ]

    def vectors(self, ids: Sequence[int]) -> dict[int, Floats]:
        """Return the vectors of rows by id, each of shape (dimension,)."""
        found = self._column_of(self._rows, "vector", ids)
        return {row_id: self._vector_out(value) for row_id, value in found}

    def field_of(self, ids: Sequence[int], field: str) -> dict[int, Any]:
        """Return a field of rows by id."""
        return dict(self._column_of(self._rows, self._columns[self.check_field(field)], ids))

    def _column_of(self, table: str, column: str, ids: Sequence[int]) -> list[tuple[int, Any]]:
        condition, parameters = self._among(ids)
        with self.database.read() as connection:
            query = f"SELECT id, {column} FROM {table} WHERE {condition}"
            return [(row[0], row[1]) for row in connection.execute(query, parameters)]

    def values(self, field: str) -> list[Any]:
        """Return the values of a field that rows have, each once, in order."""
        column = self._columns[self.check_field(field)]
        query = f"SELECT DISTINCT {column} AS value FROM {self._rows} ORDER BY value"
        with self.database.read() as connection:
            return [row[0] for row in connection.execute(query)]

    def sample(self, where: Filter | None, most: int) -> list[int]:
        """Return the ids of at most `most` rows that a filter holds for, spread evenly, the same ones each time."""
        with self.database.read() as connection:
            ids = self._allowed_ids(connection, where)
        return spread(ids, most)
