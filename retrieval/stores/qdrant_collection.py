"""A collection in Qdrant: its dense vectors, and words as a sparse vector by which candidates for BM25 are found.

The sparse values are what BM25 makes of a count by the lengths of rows at the time of writing; what is found by them
is scored anew by the counts themselves and the lengths of the present, so that scores are those of the folder's.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.errors import UsageError
from retrieval.filters import Filter
from retrieval.keyword_index import K1, B, inverse_frequency
from retrieval.keyword_tokens import Term
from retrieval.stores.interface import Collection, Floats, Hit, Key, Row, Vector, spread
from retrieval.stores.qdrant_filters import TAG_SIGN, QdrantFilters
from retrieval.stores.storable import storable

if TYPE_CHECKING:
    from retrieval.stores.qdrant_database import Pending, QdrantDatabase

EXACT_ROWS = 20_000
"""Rows up to which all vectors are looked at; above, the server's graph is searched."""
_EF_SEARCH = 256
_TIES = 16
"""Points that are asked for beyond what is wanted, so that equal scores are cut by their ids."""
_WORDS = "words"
_USUAL_LENGTH = 100.0
"""Tokens of a row, where the mean is not known yet."""
_DEEPER = 3
"""Times as many candidates as are wanted that are scored anew."""


class QdrantCollection(Collection):
    """A collection of points in Qdrant."""

    database: QdrantDatabase

    def __init__(
        self,
        database: QdrantDatabase,
        name: str,
        *,
        dimension: int,
        fields: Sequence[str],
        indexed: Sequence[str] = (),
    ) -> None:
        super().__init__(database, name, dimension=dimension, fields=fields)
        self._connection = database.connection
        self._models = database.models
        self._points = f"{database.address.name}.rows.{name}"
        self._indexed = tuple(indexed)
        self._filters = QdrantFilters(self._models, self.fields, self.values)
        # What was asked of one generation: a cache, emptied when another is seen.
        self._known: tuple[int, dict[Any, Any]] = (-1, {})

    # -- life ---------------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Say whether the collection was created."""
        return bool(self._connection.call("collection_exists", self._points))

    def ensure(self) -> None:
        """Create the collection if it is not there.

        Raises:
            IndexDamagedError: it is there with another dimension.
        """
        if self.exists():
            self.check_dimension()
            return
        with self.database.write() as pending:
            models = self._models
            self._connection.call(
                "create_collection",
                self._points,
                vectors_config=models.VectorParams(size=self.dimension, distance=models.Distance.DOT),
                sparse_vectors_config={_WORDS: models.SparseVectorParams()},
            )
            if not self.database.address.folder:  # the local mode has none
                for field in (
                    "key",
                    "digest",
                    "tokens",
                    "readers",
                    *(f"data.{name}" for name in self._indexed),
                ):
                    self._connection.call("create_payload_index", self._points, field, "keyword")
                self._connection.call("create_payload_index", self._points, "document_id", "integer")
            pending.meta[f"dimension:{self.name}"] = str(self.dimension)
            if self.database.get_meta(f"generation:{self.name}") is None:
                pending.meta[f"generation:{self.name}"] = "0"

    def drop(self) -> None:
        """Delete the collection and everything in it."""
        if not self.exists():
            return
        with self.changing() as pending:
            pending.removing.append(lambda: self._connection.call("delete_collection", self._points))

    # -- writing ------------------------------------------------------------------------------------------

    @contextmanager
    def changing(self) -> Iterator[Pending]:
        """Gather what is written and start a new generation."""
        with self.database.write() as pending:
            yield pending
            key = f"generation:{self.name}"
            pending.meta[key] = str(int(self.database.get_meta(key) or 0) + 1)

    def upsert(self, rows: Sequence[Row]) -> None:
        """Insert rows; a row whose key is there is replaced, and gets a new id."""
        made = {_key_in(row.key): replace(row, vector=self.direction(row)) for row in rows}
        if not made:
            return
        with self.changing() as pending:
            older = [point.id for point in self._of_keys(list(made), payload=False)]
            ids = self.database.next_ids(f"last_id:{self.name}", len(made))
            points = [self._point(row_id, row) for row_id, row in zip(ids, made.values(), strict=True)]
            pending.adding.append(lambda: self._connection.upsert(self._points, points))
            if older:
                pending.removing.append(lambda: self._connection.call("delete", self._points, older))

    def _point(self, row_id: int, row: Row) -> Any:
        counts: dict[str, int] = {}
        for token in row.tokens:
            token = storable(token)
            counts[token] = counts.get(token, 0) + 1
        data = storable(json.loads(json.dumps(dict(row.data))))
        readers = [] if row.document_id is None else self.database.documents().readers_of(row.document_id)
        payload = {
            "key": _key_in(row.key),
            "document_id": row.document_id,
            "data": data,
            "tagged": _tagged(data),
            "digest": None if row.digest is None else row.digest.hex(),
            "late": None if row.late is None else base64.b64encode(row.late).decode("ascii"),
            "tokens": list(counts),
            "counts": list(counts.values()),
            "length": len(row.tokens),
            "readers": readers,
        }
        norm = K1 * (1 - B + B * len(row.tokens) / _USUAL_LENGTH)
        words = _sparse(self._models, {token: count / (count + norm) for token, count in counts.items()})
        vector = {"": row.vector.tolist()} | ({_WORDS: words} if counts else {})
        return self._models.PointStruct(id=row_id, vector=vector, payload=payload)

    def delete(self, keys: Sequence[Key]) -> list[Key]:
        """Delete rows by key; return the keys that were not there."""
        wanted = {_key_in(key): key for key in keys}
        with self.changing() as pending:
            held = self._of_keys(list(wanted), payload=["key"])
            ids = [point.id for point in held]
            if ids:
                pending.removing.append(lambda: self._connection.call("delete", self._points, ids))
        there = {point.payload["key"] for point in held}
        return [key for text, key in wanted.items() if text not in there]

    def rewrite(self, document_id: int, change: Callable[[dict[str, Any]], Sequence[str] | None]) -> None:
        """Change the data of a document's rows; vectors stay, and ids where the tokens do."""
        with self.changing() as pending:
            for point in self._of_document(document_id):
                row = self._row(point)
                data = dict(row.data)
                tokens = change(data)
                if tokens is None:
                    pending.adding.append(self._data_setter(point.id, storable(json.loads(json.dumps(data)))))
                else:
                    self.upsert([replace(row, data=data, tokens=tokens)])

    def _data_setter(self, row_id: int, data: dict[str, Any]) -> Callable[[], None]:
        payload = {"data": data, "tagged": _tagged(data)}
        return lambda: self._connection.call("set_payload", self._points, payload, points=[row_id])

    def retokenize(self, tokens_of: Callable[[dict[str, Any]], Sequence[str]]) -> None:
        """Replace what keyword search finds the rows by; they get new ids."""
        with self.changing():
            for point in self._connection.scroll(self._points, vectors=True):
                row = self._row(point)
                self.upsert([replace(row, tokens=tokens_of(dict(row.data)))])

    def redimension(self, dimension: int) -> None:
        """Refuse: without transactions, a kill would leave vectors of two embedders.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"{self.database.place} cannot be embedded anew, since Qdrant has no transactions: ingest into another name"
        )

    def revectorize(self, ids: Sequence[int], vectors: Sequence[Vector]) -> None:
        """Refuse, see `redimension`."""
        self.redimension(self.dimension)

    def save_index(self) -> None:
        """Do nothing: Qdrant keeps its own graph."""

    # -- reading ------------------------------------------------------------------------------------------

    @property
    def generation(self) -> int:
        """How often the collection was changed."""
        return int(self.database.get_meta(f"generation:{self.name}") or 0)

    def _cached(self, key: Any, make: Callable[[], Any]) -> Any:
        generation, known = self._known
        present = self.generation
        if generation != present:
            known = {}
            self._known = present, known
        if key not in known:
            known[key] = make()
        return known[key]

    def _of_keys(self, keys: Sequence[str], *, payload: Any = True, vectors: Any = False) -> list[Any]:
        return self._having("key", keys, payload=payload, vectors=vectors)

    def _of_document(self, document_id: int) -> list[Any]:
        return self._having("document_id", [document_id], vectors=True)

    def _having(
        self, field: str, values: Sequence[Any], *, payload: Any = True, vectors: Any = False
    ) -> list[Any]:
        if not values:
            return []
        match = self._models.MatchAny(any=list(values))
        condition = self._models.Filter(must=[self._models.FieldCondition(key=field, match=match)])
        return self._connection.scroll(self._points, condition, payload=payload, vectors=vectors)

    def known(self, digests: Sequence[bytes]) -> dict[bytes, tuple[Floats, bytes | None]]:
        """Return the vectors of texts that are in the collection already, by their digests."""
        wanted = [digest.hex() for digest in digests]
        found = self._having("digest", wanted, payload=["digest", "late"], vectors=[""])
        return {
            bytes.fromhex(point.payload["digest"]): (_vector(point), _late(point.payload)) for point in found
        }

    def count(self, where: Filter | None = None) -> int:
        """Count the rows that a filter holds for."""
        with self.database.read():
            condition = self._filters.condition(where)
            return int(self._connection.call("count", self._points, count_filter=condition, exact=True).count)

    def get(self, keys: Sequence[Key], *, vectors: bool = False) -> list[Hit]:
        """Return the rows of the keys that exist, in the order of `keys`."""
        wanted = [_key_in(key) for key in keys]
        points = self._of_keys(wanted, payload=["key", "data"], vectors=_wanted(vectors))
        found = {point.payload["key"]: _hit(point, vectors) for point in points}
        return [found[key] for key in wanted if key in found]

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
        with self.database.read():
            points = self._connection.scroll(
                self._points,
                self._filters.condition(where),
                payload=["key", "data"],
                vectors=_wanted(vectors),
            )
        hits = sorted((_hit(point, vectors) for point in points), key=lambda hit: hit.id)
        for name, up in reversed(list((order_by or {}).items())):
            field = self.check_field(name)
            hits.sort(
                key=lambda hit: _order(hit.key if field == "key" else hit.data.get(field)), reverse=not up
            )
        return hits[skip : None if top < 0 else skip + top]

    def rows(self, ids: Sequence[int], *, vectors: bool = True) -> dict[int, Hit]:
        """Return rows by id, in the order of the ids; an id that is not there is left out."""
        points = self._retrieve(ids, payload=["key", "data"], vectors=_wanted(vectors))
        found = {point.id: _hit(point, vectors) for point in points}
        return {row_id: found[row_id] for row_id in ids if row_id in found}

    def _retrieve(self, ids: Sequence[int], *, payload: Any, vectors: Any = False) -> list[Any]:
        wanted = [int(row_id) for row_id in ids]
        if not wanted:
            return []
        return list(
            self._connection.call(
                "retrieve", self._points, wanted, with_payload=payload, with_vectors=vectors
            )
        )

    def whole(self, document_id: int) -> Iterator[Row]:
        """Yield the rows of a document as they are stored, in the order of their ids."""
        for point in sorted(self._of_document(document_id), key=lambda point: int(point.id)):
            yield self._row(point)

    def _row(self, point: Any) -> Row:
        held = point.payload
        tokens = [
            token
            for token, count in zip(held["tokens"], held["counts"], strict=True)
            for token in [token] * count
        ]
        digest = None if held["digest"] is None else bytes.fromhex(held["digest"])
        key = json.loads(held["key"])
        return Row(key, held["data"], _vector(point), tokens, held["document_id"], digest, _late(held))

    def vectors(self, ids: Sequence[int]) -> dict[int, Floats]:
        """Return the vectors of rows by id, each of shape (dimension,)."""
        return {point.id: _vector(point) for point in self._retrieve(ids, payload=False, vectors=[""])}

    def late(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Return the packed token vectors of those rows that have them, by id."""
        found = {point.id: _late(point.payload) for point in self._retrieve(ids, payload=["late"])}
        return {row_id: late for row_id, late in found.items() if late is not None}

    def field_of(self, ids: Sequence[int], field: str) -> dict[int, Any]:
        """Return a field of rows by id."""
        path = self._path(field)
        return {point.id: _field(point, field) for point in self._retrieve(ids, payload=[path])}

    def values(self, field: str) -> list[Any]:
        """Return the values of a field that rows have, each once, in order."""
        path = self._path(field)

        def look() -> list[Any]:
            found = {
                json.dumps(_field(point, field))
                for point in self._connection.scroll(self._points, payload=[path])
            }
            return sorted((json.loads(value) for value in found), key=_order)

        return list(self._cached(("values", field), look))

    def _path(self, field: str) -> str:
        return "key" if self.check_field(field) == "key" else f"data.{field}"

    def sample(self, where: Filter | None, most: int) -> list[int]:
        """Return the ids of at most `most` rows that a filter holds for, spread evenly, the same ones each time."""
        with self.database.read():
            points = self._connection.scroll(self._points, self._filters.condition(where), payload=False)
        return spread(sorted(int(point.id) for point in points), most)

    # -- search -------------------------------------------------------------------------------------------

    def dense(self, vector: Floats, *, top: int, where: Filter | None = None) -> list[tuple[int, float]]:
        """Return (row id, cosine) pairs, best first, for a vector of length one."""
        if top < 1:
            return []
        with self.database.read():
            total = self._cached("rows", self.count)
            how = None
            if not self.database.address.folder:  # the local mode looks at everything
                how = self._models.SearchParams(exact=total <= EXACT_ROWS, hnsw_ef=max(_EF_SEARCH, top))
            points = self._query(np.asarray(vector, np.float32).tolist(), None, top + _TIES, where, how)
        return sorted(((point.id, point.score) for point in points), key=lambda pair: (-pair[1], pair[0]))[
            :top
        ]

    def _query(
        self, asked: Any, using: str | None, top: int, where: Filter | None, how: Any = None
    ) -> list[Any]:
        found = self._connection.call(
            "query_points",
            self._points,
            query=asked,
            using=using,
            limit=top,
            query_filter=self._filters.condition(where),
            search_params=how,
            with_payload=False,
        )
        return list(found.points)

    def keyword(
        self, terms: Sequence[Term], *, top: int, where: Filter | None = None
    ) -> list[tuple[int, float]]:
        """Return (row id, BM25 score) pairs, best first."""
        if top < 1 or not terms:
            return []
        with self.database.read():
            weights = self._weighted(terms)
            asked = _sparse(self._models, dict(weights))
            ids = [point.id for point in self._query(asked, _WORDS, _DEEPER * top, where)]
            scores = self._scores(weights, ids)
        found = [(row_id, float(score)) for row_id, score in zip(ids, scores, strict=True) if score > 0]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:top]

    def keyword_scores(self, terms: Sequence[Term], ids: Sequence[int]) -> tuple[Floats, float]:
        """Return the BM25 scores of rows, shape (len(ids),), and what a row without end could have."""
        with self.database.read():
            weights = self._weighted(terms)
            return self._scores(weights, ids), sum(weight for _, weight in weights)

    def _scores(self, weights: Sequence[tuple[str, float]], ids: Sequence[int]) -> Floats:
        mean = self._cached("mean", self._mean_length)
        asked = [(storable(token), weight) for token, weight in weights]
        found: dict[int, float] = {}
        for point in self._retrieve(ids, payload=["tokens", "counts", "length"]):
            held = point.payload
            counts = dict(zip(held["tokens"], held["counts"], strict=True))
            norm = K1 * (1 - B + B * held["length"] / mean)
            hits = ((counts[token], weight) for token, weight in asked if token in counts)
            found[point.id] = sum(weight * count / (count + norm) for count, weight in hits)
        return np.array([found.get(row_id, 0.0) for row_id in ids], np.float32)

    def _mean_length(self) -> float:
        points = self._connection.scroll(self._points, payload=["length"])
        lengths = [point.payload["length"] for point in points]
        return sum(lengths) / len(lengths) if any(lengths) else 1.0

    def _weighted(self, terms: Sequence[Term]) -> list[tuple[str, float]]:
        """Return the tokens that are looked for, each with what it adds at most."""
        rows = self._cached("rows", self.count)
        weighted: list[tuple[str, float]] = []
        for term in terms:
            token, frequency = term.text, self._frequency(term.text)
            if not frequency and term.otherwise is not None:
                token, frequency = term.otherwise, self._frequency(term.otherwise)
            weighted.append((token, (K1 + 1) * inverse_frequency(rows, frequency)))
        return weighted

    def _frequency(self, token: str) -> int:
        match = self._models.MatchValue(value=storable(token))
        condition = self._models.Filter(must=[self._models.FieldCondition(key="tokens", match=match)])

        def look() -> int:
            return int(self._connection.call("count", self._points, count_filter=condition, exact=True).count)

        return int(self._cached(("frequency", token), look))

    def document_frequencies(self, tokens: Sequence[str]) -> dict[str, int]:
        """Return in how many rows each token stands."""
        with self.database.read():
            return {token: self._frequency(token) for token in tokens}


def _sparse(models: Any, values: Mapping[str, float]) -> Any:
    """Return a sparse vector; two words may share a place, which the scoring by counts sets right."""
    places: dict[int, float] = {}
    for token, value in values.items():
        place = zlib.crc32(token.encode("utf-8", "surrogatepass"))
        places[place] = places.get(place, 0.0) + value
    return models.SparseVector(indices=list(places), values=list(places.values()))


def _tagged(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return fields of tags as lists of texts, since the keys of tags are no paths of a payload."""
    return {
        field: [f"{key}{TAG_SIGN}{item}" for key, items in value.items() for item in items]
        for field, value in data.items()
        if isinstance(value, Mapping)
    }


def _key_in(key: Key) -> str:
    return json.dumps(storable(key), ensure_ascii=False)


def _wanted(vectors: bool) -> Any:
    return [""] if vectors else False


def _hit(point: Any, vectors: bool) -> Hit:
    held = point.payload
    return Hit(
        int(point.id),
        json.loads(held["key"]),
        held["data"],
        0.0,
        vector=_vector(point) if vectors else None,
    )


def _vector(point: Any) -> Floats:
    held = point.vector[""] if isinstance(point.vector, dict) else point.vector
    return np.array(held, np.float32)


def _late(payload: Mapping[str, Any]) -> bytes | None:
    held = payload["late"]
    return None if held is None else base64.b64decode(held)


def _field(point: Any, field: str) -> Any:
    held = point.payload or {}
    return json.loads(held["key"]) if field == "key" else held.get("data", {}).get(field)


def _order(value: Any) -> tuple[int, Any]:
    """Return what sorts values of several types: nothing, numbers, texts."""
    if value is None:
        return 0, 0
    return (1, value) if isinstance(value, int | float) else (2, str(value))
