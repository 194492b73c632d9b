"""What an index asks of the place that it is kept in: a database, its documents, its collections of rows."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.access import Access, Caller
from retrieval.embedding import unit
from retrieval.errors import IndexDamagedError, UsageError
from retrieval.filters import Filter
from retrieval.fusion import reciprocal_rank_fusion
from retrieval.keyword_tokens import Term
from retrieval.records import DocumentState, DocumentSummary, SourceDocument, Tags

Key = str | int
Floats = NDArray[np.float32]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}")
_LEG_DEPTH = 100


def spread(ids: Sequence[int] | NDArray[np.int64], most: int) -> list[int]:
    """Return at most `most` of some ids, spread evenly, the same ones each time."""
    if not len(ids):
        return []
    places = np.unique(np.linspace(0, len(ids) - 1, min(most, len(ids))).astype(np.int64))
    return [int(ids[place]) for place in places]


@dataclass(frozen=True, slots=True)
class Row:
    """A row to store.

    `tokens` are what keyword search finds it by; `vector` has shape (dimension,); `digest` names the text
    that the vector is of, see `Collection.known`; `late` are its packed token vectors.
    """

    key: Key
    data: Mapping[str, Any]
    vector: Floats
    tokens: Sequence[str] = ()
    document_id: int | None = None
    digest: bytes | None = None
    late: bytes | None = None


@dataclass(frozen=True, slots=True)
class Vector:
    """What a row is found by beside its words: see `Row`."""

    vector: Floats
    digest: bytes | None = None
    late: bytes | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found."""

    id: int
    key: Key
    data: dict[str, Any]
    score: float
    vector: Floats | None = field(default=None, compare=False)


class Documents(Protocol):
    """The documents of an index. Rows of collections that belong to a document go with it."""

    def states(self) -> dict[str, DocumentState]:
        """Return what is known of each document, by its absolute path."""

    def touch(self, document_id: int, *, size: int, mtime_ns: int) -> None:
        """Note that a file with the same content was written again."""

    def put(self, document: SourceDocument, chunks: int, *, ingested_at: str | None = None) -> int:
        """Store a document in place of the one of the same path, whose chunks go with it; return the new id."""

    def share(self, document_id: int, access: Access) -> None:
        """Set who may read a document."""

    def readable(self, document_id: int, caller: Caller) -> bool:
        """Tell whether somebody may read a document."""

    def rename(self, document_id: int, *, path: str, name: str, title: str) -> None:
        """Note that a document's file has another path now."""

    def tag(self, document_id: int, given_tags: Tags) -> Tags:
        """Replace the tags that a person gave a document; return all that it has now."""

    def remove(self, path: str) -> None:
        """Delete a document."""

    def summaries(self, caller: Caller | None = None) -> list[DocumentSummary]:
        """List the documents by name; for a caller those that the caller may read."""

    def contents(self, names: Sequence[str], caller: Caller | None = None) -> dict[str, frozenset[str]]:
        """Return the hashes of what the documents of some names hold; a caller gets those that the caller may read.

        A name that no such document has is left out; several documents may have the same.
        """

    def text(self, document_id: int) -> str | None:
        """Return the text of a document as it was read; spans are offsets into it."""

    def excerpts(self, spans: Iterable[tuple[int, int, int]]) -> dict[tuple[int, int, int], str]:
        """Return the text of spans, each (document id, start, end), without loading whole documents."""

    def page_starts(self, document_ids: Iterable[int]) -> dict[int, tuple[int, ...]]:
        """Return where the pages of documents begin."""

    def whole(self, document_id: int) -> tuple[SourceDocument, str]:
        """Return a document as `put` takes it, and when it was ingested.

        Raises:
            KeyError: there is none.
        """


class Collection(ABC):
    """One collection: stable int64 row ids that are never reused, unique keys, JSON data, one vector a row.

    Vectors are stored with length one, so that the inner product is the cosine.
    """

    def __init__(self, database: IndexDatabase, name: str, *, dimension: int, fields: Sequence[str]) -> None:
        """Describe a collection; `ensure` creates it.

        Args:
            database: where it is kept.
            name: of the collection.
            dimension: of its vectors.
            fields: of its rows' data, which can be filtered on.

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
        self.fields = tuple(fields)

    # -- life ---------------------------------------------------------------------------------------------

    @abstractmethod
    def exists(self) -> bool:
        """Say whether the collection was created."""

    @abstractmethod
    def ensure(self) -> None:
        """Create the collection if it is not there.

        Raises:
            IndexDamagedError: it is there with another dimension.
        """

    @abstractmethod
    def drop(self) -> None:
        """Delete the collection and everything in it."""

    # -- writing ------------------------------------------------------------------------------------------

    @abstractmethod
    def changing(self) -> AbstractContextManager[Any]:
        """Write in one transaction, where the place has such, and start a new generation."""

    @abstractmethod
    def upsert(self, rows: Sequence[Row]) -> None:
        """Insert rows; a row whose key is there is replaced, and gets a new id.

        Raises:
            UsageError: a vector is not of the collection's dimension, or not finite.
        """

    @abstractmethod
    def delete(self, keys: Sequence[Key]) -> list[Key]:
        """Delete rows by key; return the keys that were not there."""

    @abstractmethod
    def rewrite(self, document_id: int, change: Callable[[dict[str, Any]], Sequence[str] | None]) -> None:
        """Change the data of a document's rows; vectors stay, and ids where the tokens do.

        `change` changes a row's data in place and returns its new search tokens, or None to keep the old.
        """

    @abstractmethod
    def retokenize(self, tokens_of: Callable[[dict[str, Any]], Sequence[str]]) -> None:
        """Replace what keyword search finds the rows by.

        The rows get new ids, as changed rows do, so that what is derived from the old tokens is not taken for
        current.
        """

    @abstractmethod
    def redimension(self, dimension: int) -> None:
        """Note how long the vectors are from now on; for a transaction that replaces them all.

        Raises:
            UsageError: the place cannot replace all vectors at once, or by such of another dimension.
        """

    @abstractmethod
    def revectorize(self, ids: Sequence[int], vectors: Sequence[Vector]) -> None:
        """Give rows other vectors, and with them new ids; what words find them by stays.

        Call it within `changing`, and with all the rows where the dimension changes.

        Args:
            ids: of rows that are there.
            vectors: of each row.
        """

    @abstractmethod
    def save_index(self) -> None:
        """Leave what is derived from the rows as the present generation wants it."""

    # -- reading ------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def generation(self) -> int:
        """How often the collection was changed."""

    @abstractmethod
    def known(self, digests: Sequence[bytes]) -> dict[bytes, tuple[Floats, bytes | None]]:
        """Return the vectors of texts that are in the collection already, by their digests."""

    @abstractmethod
    def count(self, where: Filter | None = None) -> int:
        """Count the rows that a filter holds for."""

    @abstractmethod
    def get(self, keys: Sequence[Key], *, vectors: bool = False) -> list[Hit]:
        """Return the rows of the keys that exist, in the order of `keys`."""

    @abstractmethod
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

    @abstractmethod
    def rows(self, ids: Sequence[int], *, vectors: bool = True) -> dict[int, Hit]:
        """Return rows by id, in the order of the ids; an id that is not there is left out."""

    @abstractmethod
    def whole(self, document_id: int) -> Iterator[Row]:
        """Yield the rows of a document as they are stored, in the order of their ids."""

    @abstractmethod
    def vectors(self, ids: Sequence[int]) -> dict[int, Floats]:
        """Return the vectors of rows by id, each of shape (dimension,)."""

    @abstractmethod
    def late(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Return the packed token vectors of those rows that have them, by id."""

    @abstractmethod
    def field_of(self, ids: Sequence[int], field: str) -> dict[int, Any]:
        """Return a field of rows by id."""

    @abstractmethod
    def values(self, field: str) -> list[Any]:
        """Return the values of a field that rows have, each once, in order."""

    @abstractmethod
    def sample(self, where: Filter | None, most: int) -> list[int]:
        """Return the ids of at most `most` rows that a filter holds for, spread evenly, the same ones each time."""

    @abstractmethod
    def dense(self, vector: Floats, *, top: int, where: Filter | None = None) -> list[tuple[int, float]]:
        """Return (row id, cosine) pairs, best first, ties by id, for a vector of length one."""

    @abstractmethod
    def keyword(
        self, terms: Sequence[Term], *, top: int, where: Filter | None = None
    ) -> list[tuple[int, float]]:
        """Return (row id, BM25 score) pairs, best first, ties by id."""

    @abstractmethod
    def keyword_scores(self, terms: Sequence[Term], ids: Sequence[int]) -> tuple[Floats, float]:
        """Return the BM25 scores of rows, shape (len(ids),), and what a row without end could have."""

    @abstractmethod
    def document_frequencies(self, tokens: Sequence[str]) -> dict[str, int]:
        """Return in how many rows each token stands."""

    def search(
        self,
        vector: Floats,
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

        Raises:
            UsageError: `top` or `skip` is out of range.
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

    def direction(self, row: Row) -> Floats:
        """Return a row's vector with length one.

        Raises:
            UsageError: it is not of the collection's dimension, or not finite.
        """
        vector = np.ascontiguousarray(row.vector, np.float32)
        if vector.shape != (self.dimension,) or not np.isfinite(vector).all():
            raise UsageError(
                f"the vector of '{row.key}' must hold {self.dimension} finite numbers, got shape {vector.shape}"
            )
        return unit(vector)

    def check_dimension(self) -> None:
        """Check that the collection, which is there, holds vectors of this dimension.

        Raises:
            IndexDamagedError: it holds others.
        """
        held = self.database.get_meta(f"dimension:{self.name}")
        if held != str(self.dimension):
            raise IndexDamagedError(
                f"the collection '{self.name}' in {self.database.place} holds vectors of {held} dimensions, "
                f"the embedder gives {self.dimension}: use the same embedder, or another --index"
            )

    def check_field(self, name: str) -> str:
        """Return the name of a field.

        Raises:
            UsageError: rows have no such field.
        """
        known = {"key", *self.fields}
        if name not in known:
            raise UsageError(f"there is no field '{name}' to order by; there are {', '.join(sorted(known))}")
        return name


class IndexDatabase(Protocol):
    """The place of an index: transactions, one writer at a time, a table of settings."""

    @property
    def place(self) -> str:
        """Where it is, as people are told; without secrets."""

    def read(self) -> AbstractContextManager[Any]:
        """Read in one transaction, where the place has such: all that is read is of one generation."""

    def write(self) -> AbstractContextManager[Any]:
        """Write in one transaction, where the place has such: everything or nothing."""

    def writer(self) -> AbstractContextManager[None]:
        """Hold the writer's lock over several writes.

        Raises:
            IndexBusyError: another process holds it.
        """

    def get_meta(self, key: str) -> str | None:
        """Return a setting of the index."""

    def get_meta_json(self, key: str) -> Any:
        """Return a setting that was stored as JSON."""
        value = self.get_meta(key)
        return None if value is None else json.loads(value)

    def set_meta(self, key: str, value: str) -> None:
        """Store a setting of the index."""

    def documents(self) -> Documents:
        """Return the documents."""

    def collection(
        self, name: str, *, dimension: int, fields: Sequence[str], indexed: Sequence[str] = ()
    ) -> Collection:
        """Return a collection; `indexed` are fields for which filters are made fast."""

    def close(self) -> None:
        """Close the connections of all threads."""
