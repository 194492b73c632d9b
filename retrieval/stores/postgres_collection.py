"""A collection in PostgreSQL: vectors searched by pgvector, words by BM25 in SQL over a table of postings.

Scores are those of the folder's indexes: cosines of the very vectors, BM25 by the same formula and numbers
(`retrieval/keyword_index.py`). Up to `EXACT_ROWS` rows that a search may return every vector is looked at; above, an
HNSW graph is searched, as deep as a filter takes (pgvector's iterative scan).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.errors import UsageError
from retrieval.filters import Filter
from retrieval.keyword_index import K1, B, inverse_frequency
from retrieval.keyword_tokens import Term
from retrieval.stores.interface import Floats, Key, Row
from retrieval.stores.postgres_connection import PostgresConnection
from retrieval.stores.postgres_filters import condition
from retrieval.stores.sql_collection import SqlCollection
from retrieval.stores.storable import storable

if TYPE_CHECKING:
    from retrieval.stores.postgres_database import PostgresDatabase

EXACT_ROWS = 5_000
_EF_SEARCH = 200  # candidates that the graph keeps while it searches; pgvector takes up to 1,000
_MOST_SCANNED = 200_000
_BUILD_MEMORY = "512MB"
_MOST_FILTERS = 64


class PostgresCollection(SqlCollection):
    """A collection in a schema of PostgreSQL."""

    _NO_LIMIT = "ALL"
    _BUMP = "UPDATE meta SET value = CAST(CAST(value AS bigint) + 1 AS text) WHERE key = ?"

    database: PostgresDatabase

    def __init__(
        self,
        database: PostgresDatabase,
        name: str,
        *,
        dimension: int,
        fields: Sequence[str],
        indexed: Sequence[str] = (),
        exact_rows: int = EXACT_ROWS,
    ) -> None:
        super().__init__(database, name, dimension=dimension, fields=fields)
        self._postings = f"postings_{name}"
        self._graph = f"graph_{name}".lower()
        self._indexed = tuple(indexed)
        # Columns of their own, so that a filter on them need not unpack the data of every row.
        self._columns |= {field: f"field_{field}" for field in self._indexed}
        self._exact_rows = exact_rows
        # The number of rows and their mean length in tokens, of one generation: a cache, replaced whole.
        self._sizes: tuple[int, int, float] = (-1, 0, 1.0)
        # How many rows filters hold for, of one generation: a cache, since searches come with the same ones again.
        self._counts: tuple[int, dict[Filter | None, int]] = (-1, {})

    # -- the dialect --------------------------------------------------------------------------------------

    @staticmethod
    def _column(field: str) -> str:
        return f"coalesce(data -> '{field}', 'null')"

    def _condition(self, where: Filter | None) -> tuple[str, list[Any]]:
        return ("true", []) if where is None else condition(where, self._columns)

    def _among(self, ids: Sequence[int]) -> tuple[str, list[Any]]:
        return "id = ANY(CAST(? AS bigint[]))", [_array(ids)]

    def _allowed_ids(self, connection: PostgresConnection, where: Filter | None) -> Sequence[int]:
        text, parameters = self._condition(where)
        query = f"SELECT id FROM {self._rows} WHERE {text} ORDER BY id"
        return [row[0] for row in connection.execute(query, parameters)]

    def exists(self) -> bool:
        """Say whether the collection was created."""
        table = f"{self.database.address.schema}.{self._rows.lower()}"
        return self.database.connection.execute("SELECT to_regclass(?)", (table,)).fetchone() != (None,)

    def _create(self, connection: PostgresConnection) -> None:
        fields = "".join(
            f", field_{field} jsonb GENERATED ALWAYS AS ({self._column(field)}) STORED"
            for field in self._indexed
        )
        connection.execute(
            f"CREATE TABLE {self._rows} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
            " key jsonb NOT NULL UNIQUE, document_id bigint REFERENCES documents (id) ON DELETE CASCADE,"
            f" data jsonb NOT NULL, vector vector({self.dimension}) STORAGE PLAIN NOT NULL, digest bytea, late bytea,"
            f" length integer NOT NULL{fields})"
        )
        connection.execute(f"CREATE INDEX ON {self._rows} (document_id)")
        connection.execute(f"CREATE INDEX ON {self._rows} (digest)")
        for field in self._indexed:
            connection.execute(f"CREATE INDEX ON {self._rows} (field_{field})")
        # The length of a row stands with each of its postings, so that a search reads the index of these alone.
        connection.execute(
            f'CREATE TABLE {self._postings} (token text COLLATE "C" NOT NULL, count integer NOT NULL,'
            f" length integer NOT NULL, id bigint NOT NULL REFERENCES {self._rows} (id) ON DELETE CASCADE)"
        )
        connection.execute(f"CREATE INDEX ON {self._postings} (token, id) INCLUDE (count, length)")
        connection.execute(f"CREATE INDEX ON {self._postings} (id)")

    def _drop(self, connection: PostgresConnection) -> None:
        connection.execute(f"DROP TABLE {self._rows}, {self._postings}")

    def _insert(self, connection: PostgresConnection, row: Row) -> None:
        counts: dict[str, int] = {}
        for token in row.tokens:
            token = storable(token)
            counts[token] = counts.get(token, 0) + 1
        length = len(row.tokens)
        new = connection.execute(
            f"INSERT INTO {self._rows} (key, document_id, data, vector, digest, late, length)"
            f" VALUES (CAST(? AS jsonb), ?, CAST(? AS jsonb), CAST(? AS vector({self.dimension})), ?, ?, ?)"
            " RETURNING id",
            (
                self._key_in(row.key),
                row.document_id,
                self._data_in(row.data),
                _text(row.vector),
                row.digest,
                row.late,
                length,
            ),
        ).fetchone()
        assert new is not None
        connection.execute(
            f"INSERT INTO {self._postings} (token, count, length, id) SELECT key, CAST(value AS integer),"
            f" CAST(? AS integer), CAST(? AS bigint) FROM jsonb_each_text(CAST(? AS jsonb))",
            (length, new[0], json.dumps(counts, ensure_ascii=False)),
        )

    def _whole(
        self, connection: PostgresConnection, condition: str, parameters: Sequence[Any]
    ) -> Iterator[Row]:
        ids = connection.execute(f"SELECT id FROM {self._rows} WHERE {condition} ORDER BY id", parameters)
        query = f"SELECT key, data, vector, document_id, digest, late FROM {self._rows} WHERE id = ?"
        words = f"SELECT token, count FROM {self._postings} WHERE id = ? ORDER BY token"
        for (row_id,) in ids.fetchall():
            key, data, vector, document_id, digest, late = connection.execute(query, (row_id,)).fetchall()[0]
            tokens = [
                token for token, count in connection.execute(words, (row_id,)) for token in [token] * count
            ]
            yield Row(key, data, self._vector_out(vector), tokens, document_id, digest, late)

    @staticmethod
    def _key_in(key: Key) -> str:
        return json.dumps(storable(key), ensure_ascii=False)

    @staticmethod
    def _key_out(value: Any) -> Key:
        return value  # type: ignore[no-any-return]

    @staticmethod
    def _data_in(data: Mapping[str, Any]) -> str:
        return json.dumps(storable(dict(data)), ensure_ascii=False)

    @staticmethod
    def _data_out(value: Any) -> dict[str, Any]:
        return dict(value)

    @staticmethod
    def _vector_out(value: Any) -> Floats:
        return np.array(value[1:-1].split(","), np.float32)

    def redimension(self, dimension: int) -> None:
        """Refuse vectors of another dimension, which the column of the table is not made for.

        Raises:
            UsageError: they are of another.
        """
        if dimension != self.dimension:
            raise UsageError(
                f"the vectors in {self.database.place} have {self.dimension} dimensions, the new embedder gives "
                f"{dimension}: ingest into another schema"
            )

    # -- what is searched ---------------------------------------------------------------------------------

    def known(self, digests: Sequence[bytes]) -> dict[bytes, tuple[Floats, bytes | None]]:
        """Return the vectors of texts that are in the collection already, by their digests."""
        query = (
            f"SELECT DISTINCT ON (digest) digest, vector, late FROM {self._rows}"
            " WHERE digest IN (SELECT decode(value, 'hex') FROM jsonb_array_elements_text(CAST(? AS jsonb)))"
        )
        wanted = json.dumps([digest.hex() for digest in digests])
        with self.database.read() as connection:
            rows = connection.execute(query, (wanted,)).fetchall()
        return {bytes(digest): (self._vector_out(vector), late) for digest, vector, late in rows}

    def dense(self, vector: Floats, *, top: int, where: Filter | None = None) -> list[tuple[int, float]]:
        """Return (row id, cosine) pairs, best first, for a vector of length one."""
        if top < 1:
            return []
        text, parameters = self._condition(where)
        asked = _text(np.asarray(vector, np.float32))
        with self.database.read() as connection:
            allowed = self._allowed(where)
            if allowed > self._exact_rows and self._has_graph(connection):
                connection.execute(f"SET LOCAL hnsw.ef_search = {min(1000, max(_EF_SEARCH, top))}")
                connection.execute("SET LOCAL hnsw.iterative_scan = strict_order")
                connection.execute(f"SET LOCAL hnsw.max_scan_tuples = {_MOST_SCANNED}")
                nearest = f"SELECT id, vector <#> CAST(? AS vector({self.dimension})) FROM {self._rows}"
                query = f"{nearest} WHERE {text} ORDER BY 2 LIMIT {int(top)}"
                found = connection.execute(query, [asked, *parameters]).fetchall()
                if len(found) == min(top, allowed):
                    return sorted(((row[0], -row[1]) for row in found), key=lambda pair: (-pair[1], pair[0]))
            # The sum is no expression that the graph knows, so that every row is looked at.
            nearest = f"SELECT id, 0 - (vector <#> CAST(? AS vector({self.dimension}))) FROM {self._rows}"
            query = f"{nearest} WHERE {text} ORDER BY 2 DESC, id LIMIT {int(top)}"
            return [(row[0], row[1]) for row in connection.execute(query, [asked, *parameters])]

    def _allowed(self, where: Filter | None) -> int:
        generation, counts = self._counts
        present = self.generation
        if generation != present or len(counts) >= _MOST_FILTERS:
            counts = {}
            self._counts = present, counts
        if where not in counts:
            counts[where] = self.count(where)
        return counts[where]

    def late(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Return the packed token vectors of those rows that have them, by id."""
        found = self._column_of(self._rows, "late", ids)
        return {row_id: bytes(codes) for row_id, codes in found if codes is not None}

    def keyword(
        self, terms: Sequence[Term], *, top: int, where: Filter | None = None
    ) -> list[tuple[int, float]]:
        """Return (row id, BM25 score) pairs, best first."""
        text, parameters = self._condition(where)
        within = "" if where is None else f"id IN (SELECT id FROM {self._rows} WHERE {text})"
        with self.database.read() as connection:
            return self._scored(connection, self._weighted(connection, terms), within, parameters, top)

    def keyword_scores(self, terms: Sequence[Term], ids: Sequence[int]) -> tuple[Floats, float]:
        """Return the BM25 scores of rows, shape (len(ids),), and what a row without end could have."""
        with self.database.read() as connection:
            weights = self._weighted(connection, terms)
            found = dict(self._scored(connection, weights, *self._among(ids), len(ids)))
        scores = np.array([found.get(row_id, 0.0) for row_id in ids], np.float32)
        return scores, sum(weight for _, weight in weights)

    def _scored(
        self,
        connection: PostgresConnection,
        weights: Sequence[tuple[str, float]],
        within: str,
        parameters: Sequence[Any],
        top: int,
    ) -> list[tuple[int, float]]:
        if top < 1 or not weights:
            return []
        _, mean = self._size(connection)
        norm = f"{K1} * ({1 - B} + {B} * length / CAST(? AS float8))"
        query = (
            "WITH asked AS (SELECT value ->> 0 AS token, CAST(value ->> 1 AS float8) AS weight"
            " FROM jsonb_array_elements(CAST(? AS jsonb)))"
            f" SELECT id, sum(weight * count / (count + {norm})) AS score FROM {self._postings}"
            f" JOIN asked USING (token) {'WHERE ' + within if within else ''}"
            f" GROUP BY id HAVING sum(weight) > 0 ORDER BY score DESC, id LIMIT {int(top)}"
        )
        asked = json.dumps([[storable(token), weight] for token, weight in weights], ensure_ascii=False)
        rows = connection.execute(query, [asked, mean, *(parameters if within else ())])
        return [(row[0], float(np.float32(row[1]))) for row in rows]

    def _weighted(self, connection: PostgresConnection, terms: Sequence[Term]) -> list[tuple[str, float]]:
        """Return the tokens that are looked for, each with what it adds at most."""
        rows, _ = self._size(connection)
        others = [term.otherwise for term in terms if term.otherwise is not None]
        counts = self._frequencies(connection, [*(term.text for term in terms), *others])
        weighted: list[tuple[str, float]] = []
        for term in terms:
            token = term.text
            if not counts[token] and term.otherwise is not None:
                token = term.otherwise
            weighted.append((token, (K1 + 1) * inverse_frequency(rows, counts[token])))
        return weighted

    def document_frequencies(self, tokens: Sequence[str]) -> dict[str, int]:
        """Return in how many rows each token stands."""
        with self.database.read() as connection:
            return self._frequencies(connection, tokens)

    def _frequencies(self, connection: PostgresConnection, tokens: Sequence[str]) -> dict[str, int]:
        query = (
            f"SELECT token, count(*) FROM {self._postings} WHERE token IN"
            " (SELECT jsonb_array_elements_text(CAST(? AS jsonb))) GROUP BY token"
        )
        asked = {token: storable(token) for token in tokens}
        rows = connection.execute(query, (json.dumps(list(asked.values()), ensure_ascii=False),))
        found = {row[0]: int(row[1]) for row in rows}
        return {token: found.get(stored, 0) for token, stored in asked.items()}

    def _size(self, connection: PostgresConnection) -> tuple[int, float]:
        generation, rows, mean = self._sizes
        present = self.generation
        if generation != present:
            query = f"SELECT count(*), coalesce(avg(length), 0) FROM {self._rows}"
            row = connection.execute(query).fetchone()
            assert row is not None
            rows, mean = int(row[0]), float(row[1]) or 1.0
            self._sizes = present, rows, mean
        return rows, mean

    def _has_graph(self, connection: PostgresConnection) -> bool:
        query = (
            "SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = to_regclass(?)"
            " AND relname LIKE 'graph!_%' ESCAPE '!' AND indisvalid"
        )
        row = connection.execute(query, (f"{self.database.address.schema}.{self._rows.lower()}",)).fetchone()
        return row is not None and row[0] > 0

    def save_index(self) -> None:
        """Tell the planner what there is, and build graphs once there are rows enough; searches go on meanwhile."""
        connection = self.database.connection
        if connection.in_transaction:
            return
        connection.execute(f"ANALYZE {self._rows}, {self._postings}")
        wanted = self._graphs(connection)
        held = {
            row[0]: row[1]
            for row in connection.execute(
                "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid"
                " WHERE indrelid = to_regclass(?) AND relname LIKE 'graph!_%' ESCAPE '!'",
                (f"{self.database.address.schema}.{self._rows.lower()}",),
            )
        }
        for name in held:
            if name not in wanted or not held[name]:  # or half of one, of a writer that was killed
                connection.execute(f"DROP INDEX IF EXISTS {name}")
        missing = [name for name in wanted if not held.get(name)]
        if not missing:
            return
        connection.execute(f"SET maintenance_work_mem = '{_BUILD_MEMORY}'")
        for name in missing:
            connection.execute(
                f"CREATE INDEX CONCURRENTLY {name} ON {self._rows} USING hnsw (vector vector_ip_ops) {wanted[name]}"
            )
        connection.execute("RESET maintenance_work_mem")

    def _graphs(self, connection: PostgresConnection) -> dict[str, str]:
        """Return the graphs that there should be, each with its condition, by name.

        One for each value of the first field that is often filtered on, where it has several: a search for texts of
        one language that begins at a question of another would walk past all that lie between.
        """
        if self.count() <= self._exact_rows:
            return {}
        if not self._indexed:
            return {f"{self._graph}": ""}
        column = self._columns[self._indexed[0]]
        query = (
            f"SELECT quote_literal(CAST({column} AS text)), md5(CAST({column} AS text)), count(*) FROM {self._rows}"
            f" GROUP BY {column}"
        )
        values = connection.execute(query).fetchall()
        if len(values) == 1:
            return {f"{self._graph}": ""}
        return {
            f"{self._graph}_{digest[:12]}": f"WHERE {column} = CAST({literal} AS jsonb)"
            for literal, digest, count in values
            if count > self._exact_rows
        }


def _text(vector: Floats) -> str:
    # Nine digits tell any two float32 apart.
    return "[" + ",".join(f"{value:.9g}" for value in vector.tolist()) + "]"


def _array(ids: Sequence[int]) -> str:
    return "{" + ",".join(str(int(row_id)) for row_id in ids) + "}"
