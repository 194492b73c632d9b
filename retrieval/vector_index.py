"""The FAISS file of a collection: derived from the database, brought up to date when it lags.

A row's vector never changes under its id (an updated row gets a new id), so the difference between the ids
in FAISS and the ids in the database is all that has to be done. The file's name carries the database's
identity and the generation that it was written from; it is written beside and renamed, so a kill leaves
either the old file or the new one.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.generation_files import GenerationFiles

logger = logging.getLogger(__name__)

_SAVE_LAG = 256
_FETCH_ROWS = 4096
_PARAMETERS: Any = faiss.SearchParameters


class VectorIndex:
    """Exact inner-product search over the vectors of one collection.

    A search works on a snapshot: bringing the index up to date makes a changed copy and swaps it in, so
    threads that search at that moment go on undisturbed.
    """

    def __init__(self, folder: Path, collection: str, table: str, dimension: int, database_uuid: str) -> None:
        self._files = GenerationFiles(folder, collection, database_uuid, ".faiss")
        self._table = table
        self._dimension = dimension
        self._lock = threading.Lock()
        self._index: Any = None  # an IndexIDMap2; the types of FAISS know less than it can
        self._generation = -1
        self._lag = 0

    def search(
        self,
        connection: sqlite3.Connection,
        generation: int,
        vector: NDArray[np.float32],
        k: int,
        allowed: NDArray[np.int64] | None = None,
    ) -> list[tuple[int, float]]:
        """Return up to k (id, inner product) pairs, best first, ties by id.

        Args:
            connection: a connection inside a read transaction of that generation.
            generation: the collection's generation in that transaction.
            vector: shape (dimension,).
            k: how many; fewer come back only when fewer rows are allowed.
            allowed: ids that may be returned (a filter); None allows all.
        """
        index = self.current(connection, generation)
        k = min(k, index.ntotal if allowed is None else len(allowed))
        if k <= 0:
            return []
        parameters: Any = None
        if allowed is not None:
            parameters = _PARAMETERS(sel=faiss.IDSelectorBatch(allowed))
        scores, ids = index.search(vector.reshape(1, -1).astype(np.float32), k, params=parameters)
        pairs = [(int(i), float(s)) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0]
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))

    def current(self, connection: sqlite3.Connection, generation: int) -> Any:
        """Return an index with exactly the rows that the connection's transaction sees."""
        with self._lock:
            if self._index is None:
                self._index, self._generation = self._load()
            if self._generation != generation:
                self._index = self._updated(connection, self._index)
                self._generation = generation
            if self._lag >= _SAVE_LAG:
                self._save()
            return self._index

    def save(self, connection: sqlite3.Connection, generation: int) -> None:
        """Bring the index up to date and write it to its file, where that is not of this generation."""
        if not self._files.has(generation):
            self.current(connection, generation)
            with self._lock:
                self._save()
        self._sweep(generation)

    def _new(self) -> faiss.IndexIDMap2:
        return faiss.IndexIDMap2(faiss.IndexFlatIP(self._dimension))

    def _load(self) -> tuple[faiss.IndexIDMap2, int]:
        for path in self._files.newest_first():
            try:
                index = faiss.read_index(str(path))
                if isinstance(index, faiss.IndexIDMap2) and index.d == self._dimension:
                    return index, self._files.generation_of(path)
            except RuntimeError as error:  # FAISS raises nothing finer
                logger.info("%s cannot be read and is rebuilt: %s", path.name, error)
        return self._new(), -1

    def _updated(self, connection: sqlite3.Connection, index: Any) -> Any:
        wanted = np.array([row[0] for row in connection.execute(f"SELECT id FROM {self._table}")], np.int64)
        held = faiss.vector_to_array(index.id_map)
        gone = np.setdiff1d(held, wanted)
        new = np.setdiff1d(wanted, held)
        if not len(gone) and not len(new):
            return index
        changed: Any = faiss.clone_index(index)
        if len(gone):
            changed.remove_ids(faiss.IDSelectorBatch(gone))
        for start in range(0, len(new), _FETCH_ROWS):
            ids = new[start : start + _FETCH_ROWS]
            changed.add_with_ids(read_vectors(connection, self._table, ids, self._dimension), ids)
        self._lag += len(gone) + len(new)
        return changed

    def _save(self) -> None:
        try:
            with self._files.replacing(self._generation) as path:
                faiss.write_index(self._index, str(path))
        except (OSError, RuntimeError) as error:
            logger.warning("could not write the vectors of generation %d: %s", self._generation, error)
            return
        self._lag = 0
        self._sweep(self._generation)

    def _sweep(self, generation: int) -> None:
        """Take away older files, and what killed processes left."""
        for older in self._files.older_than(generation):
            older.unlink(missing_ok=True)
        self._files.sweep()


def read_vectors(
    connection: sqlite3.Connection, table: str, ids: NDArray[np.int64], dimension: int
) -> NDArray[np.float32]:
    """Return the vectors of rows in the order of `ids`, shape (len(ids), dimension)."""
    vectors = np.empty((len(ids), dimension), np.float32)
    for place, row_id in enumerate(ids.tolist()):
        row = connection.execute(f"SELECT vector FROM {table} WHERE id = ?", (row_id,)).fetchone()
        vectors[place] = np.frombuffer(row[0], np.float32)
    return vectors
