"""Lists of vectors for a dense index too large to be looked at whole: trained, filled, and measured.

How many lists are looked through is not a constant: vectors of texts lie in clusters, others do not, so it is
measured on the vectors themselves, by how many of the true ten nearest are found.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.vector_pieces import ListPiece

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

RECALL = 0.985
"""The share of the true ten nearest that must be found."""
_NEAREST = 10
_FOUND = 100
"""Candidates among which they must be; they are scored anew by the exact vectors."""
_QUERIES = 200
_LISTS_PER_ROOT = 2
_TRAINED_ON = 48
"""Vectors a list that the centroids are trained on."""
_LEAST_PROBES = 8
_BLOCK = 16_384
_SEED = 20261127


def trained_lists(connection: sqlite3.Connection, table: str, ids: Ids, dimension: int) -> ListPiece:
    """Return the vectors of rows in lists.

    Args:
        connection: a connection inside a read transaction.
        table: of columns `id` and `vector`.
        ids: of the rows, ascending.
        dimension: of the vectors.
    """
    index = _trained(connection, table, ids, dimension)
    chosen = _sample(ids, _QUERIES)
    queries = read_vectors(connection, table, chosen, dimension)
    best = _Nearest(queries, chosen)
    for block, vectors in blocks(connection, table, ids, dimension):
        index.add_with_ids(vectors, block)
        best.see(block, vectors)
    index.nprobe = _enough_probes(index, queries, chosen, best.ids)
    return ListPiece(index)


def _trained(connection: sqlite3.Connection, table: str, ids: Ids, dimension: int) -> Any:
    lists = max(1, round(_LISTS_PER_ROOT * len(ids) ** 0.5))
    sample = read_vectors(connection, table, _sample(ids, lists * _TRAINED_ON), dimension)
    quantizer = faiss.IndexFlatIP(dimension)
    index: Any = faiss.IndexIVFScalarQuantizer(
        quantizer, dimension, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT, False
    )
    index.cp.seed = _SEED
    index.cp.spherical = True  # unit vectors by inner product: so are the centroids
    index.cp.min_points_per_centroid = 1
    index.train(sample)
    return index


def _enough_probes(index: Any, queries: Floats, own: Ids, nearest: Ids) -> int:
    """Return the least number of lists, in steps of a half, in which enough of the true nearest are found."""
    most = int(index.nlist)
    probes = min(_LEAST_PROBES, most)
    while probes < most:
        parameters: Any = faiss.SearchParametersIVF
        found = index.search(queries, _FOUND + 1, params=parameters(nprobe=probes))[1]
        hits = sum(
            len(np.intersect1d(row[row != self_id][:_FOUND], true))
            for row, self_id, true in zip(found, own, nearest, strict=True)
        )
        if hits >= RECALL * (nearest >= 0).sum():
            break
        probes = min(probes + max(probes // 2, 1), most)
    return probes


class _Nearest:
    """The true nearest of queries among vectors that are seen block by block; a query's own row does not count."""

    def __init__(self, queries: Floats, own: Ids) -> None:
        self._queries = queries
        self._own = own
        self.ids = np.full((len(queries), _NEAREST), -1, np.int64)
        self._scores = np.full((len(queries), _NEAREST), -np.inf, np.float32)

    def see(self, ids: Ids, vectors: Floats) -> None:
        scores = self._queries @ vectors.T
        scores[self._own[:, None] == ids[None, :]] = -np.inf
        everything = np.concatenate([self._scores, scores], axis=1)
        names = np.concatenate([self.ids, np.broadcast_to(ids, scores.shape)], axis=1)
        best = np.argpartition(-everything, _NEAREST - 1, axis=1)[:, :_NEAREST]
        self._scores = np.take_along_axis(everything, best, axis=1)
        self.ids = np.where(np.isfinite(self._scores), np.take_along_axis(names, best, axis=1), -1)


def blocks(
    connection: sqlite3.Connection, table: str, ids: Ids, dimension: int
) -> Iterator[tuple[Ids, Floats]]:
    """Yield the vectors of rows in blocks, shape (n, dimension) each, with their ids."""
    for start in range(0, len(ids), _BLOCK):
        block = ids[start : start + _BLOCK]
        yield block, read_vectors(connection, table, block, dimension)


def read_vectors(connection: sqlite3.Connection, table: str, ids: Ids, dimension: int) -> Floats:
    """Return the vectors of rows in the order of `ids`, shape (len(ids), dimension).

    Raises:
        KeyError: a row is not there.
    """
    # In the order of the ids, which json_each keeps; a query for each id takes twice as long.
    query = f"SELECT vector FROM json_each(?) LEFT JOIN {table} ON {table}.id = json_each.value"
    rows = connection.execute(query, (json.dumps(ids.tolist()),)).fetchall()
    if (None,) in rows:
        raise KeyError(int(ids[rows.index((None,))]))
    return np.frombuffer(b"".join(row[0] for row in rows), np.float32).reshape(len(ids), dimension)


def _sample(ids: Ids, most: int) -> Ids:
    chosen = np.random.default_rng(_SEED).choice(len(ids), min(most, len(ids)), replace=False)
    return np.asarray(ids[np.sort(chosen)], np.int64)
