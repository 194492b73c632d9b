"""The dense index of a collection: derived from the database, brought up to date when it lags.

A row's vector never changes under its id (an updated row gets a new id), so the difference between the ids that
are held and those in the database is all that has to be done. What is held are pieces and the ids that are gone
from them; both make a state, which is never changed: an update makes another and swaps it in, so that threads that
search go on undisturbed. Small pieces are merged as they grow, as in a log-structured merge tree.

One file holds it all, written beside and renamed, so that a kill leaves the old one or the new one; its name carries
the database's identity and the generation that it was written from. Up to `EXACT_ROWS` rows it is searched whole;
above, in lists (`vector_training.py`), and then it is written again only when enough has changed.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.generation_files import GenerationFiles
from retrieval.id_set import IdSet
from retrieval.vector_pieces import FlatPiece, ListPiece, Piece, merged, read_piece
from retrieval.vector_training import blocks, read_vectors, trained_lists

logger = logging.getLogger(__name__)

Ids = NDArray[np.int64]

EXACT_ROWS = 30_000
"""Rows up to which all vectors are looked at: about 5 ms on one core."""
_SAVE_LAG = 256
_FETCH_ROWS = 16_384
_MERGE_RATIO = 0.3  # a piece that is at least this share of the one before it is merged with it
_WORTH_WRITING = 0.02  # the share of rows that must have changed for lists to be written again
_TRAIN_AGAIN = 2.0  # lists are trained anew when the rows have become so many times more or fewer


@dataclass(frozen=True)
class _State:
    """What one generation holds. `gone` are ids, ascending."""

    generation: int
    pieces: tuple[Piece, ...] = ()
    gone: Ids = field(default_factory=lambda: np.empty(0, np.int64))

    @cached_property
    def gone_set(self) -> IdSet | None:
        return IdSet(self.gone) if len(self.gone) else None

    @cached_property
    def held(self) -> Ids:
        held = [piece.ids for piece in self.pieces]
        return np.sort(np.concatenate(held)) if held else np.empty(0, np.int64)

    @cached_property
    def ids(self) -> Ids:
        return np.setdiff1d(self.held, self.gone, assume_unique=True)

    def lag(self) -> int:
        """Return how many rows differ from the first piece."""
        return sum(len(piece.ids) for piece in self.pieces[1:]) + len(self.gone)


class VectorIndex:
    """Search by inner product over the vectors of one collection."""

    def __init__(
        self,
        folder: Path,
        collection: str,
        table: str,
        dimension: int,
        database_uuid: str,
        *,
        exact_rows: int = EXACT_ROWS,
    ) -> None:
        """Describe the index of a collection.

        Args:
            folder: of the database.
            collection: its name, with which the files' names begin.
            table: of columns `id` and `vector`, a float32 vector of length one.
            dimension: of the vectors.
            database_uuid: names the database, so that another's files are not taken for its own.
            exact_rows: up to how many rows all vectors are looked at.
        """
        self._files = GenerationFiles(folder, collection, database_uuid, ".faiss")
        self._table = table
        self._dimension = dimension
        self._exact_rows = exact_rows
        self._lock = threading.Lock()
        self._state: _State | None = None
        # The generation of the newest file when the folder was last looked at.
        self._seen = -1

    def search(
        self,
        connection: sqlite3.Connection,
        generation: int,
        vector: NDArray[np.float32],
        k: int,
        allowed: IdSet | None = None,
    ) -> list[tuple[int, float]]:
        """Return up to k (id, inner product) pairs, best first, ties by id.

        The products are those of the very vectors, also where they were found by their codes.

        Args:
            connection: a connection inside a read transaction of that generation.
            generation: the collection's generation in that transaction.
            vector: shape (dimension,).
            k: how many; fewer come back only when fewer rows are allowed.
            allowed: ids that may be returned (a filter); None allows all.
        """
        state = self.current(connection, generation)
        if k < 1 or (allowed is not None and not len(allowed)):
            return []
        gone = None if allowed is not None else state.gone_set
        found: list[tuple[NDArray[np.float32], Ids]] = []
        for piece in state.pieces:
            scores, ids = piece.search(vector, k, allowed, gone)
            if not piece.exact and len(ids):
                scores = read_vectors(connection, self._table, ids, self._dimension) @ vector
            found.append((scores, ids))
        if not found:
            return []
        scores = np.concatenate([pair[0] for pair in found])
        ids = np.concatenate([pair[1] for pair in found])
        order = np.lexsort((ids, -scores))[:k]
        return list(zip(ids[order].tolist(), scores[order].tolist(), strict=True))

    def current(self, connection: sqlite3.Connection, generation: int) -> _State:
        """Return the state of the rows that the connection's transaction sees."""
        with self._lock:
            if self._state is None or (self._state.generation != generation and self._newest() > self._seen):
                self._state = self._load()
            if self._state.generation != generation:
                self._state = self._updated(connection, self._state, generation)
            if self._state.lag() >= _SAVE_LAG and len(self._state.ids) <= self._exact_rows:
                self._write(connection)
            return self._state

    def save(self, connection: sqlite3.Connection, generation: int) -> None:
        """Bring the index up to date and write it to its file, where that differs by enough."""
        if not self._files.has(generation):
            self.current(connection, generation)
            with self._lock:
                assert self._state is not None
                if len(self._state.ids) <= self._exact_rows or self._worth_writing(self._state):
                    self._write(connection)
        self._sweep()

    def _newest(self) -> int:
        found = self._files.newest_first()
        return self._files.generation_of(found[0]) if found else -1

    def _load(self) -> _State:
        self._seen = self._newest()
        for path in self._files.newest_first():
            try:
                piece = read_piece(path, self._dimension)
            except ValueError as error:
                logger.warning("%s cannot be read and is made again: %s", path.name, error)
                continue
            return _State(self._files.generation_of(path), (piece,))
        return _State(-1)

    def _updated(self, connection: sqlite3.Connection, state: _State, generation: int) -> _State:
        query = f"SELECT id FROM {self._table} ORDER BY id"
        wanted = np.array([row[0] for row in connection.execute(query)], np.int64)
        # An older transaction may want rows that are gone in the state, so these are counted anew as well.
        new = np.setdiff1d(wanted, state.held, assume_unique=True)
        gone = np.setdiff1d(state.held, wanted, assume_unique=True)
        if len(new) > self._exact_rows:
            # The file is missing, or far behind: rows are not held twice in memory.
            logger.warning("the vectors of %d passages are put in order", len(wanted))
            return _State(generation, (self._lists(connection, wanted, None),))
        pieces = list(state.pieces)
        for start in range(0, len(new), _FETCH_ROWS):
            ids = new[start : start + _FETCH_ROWS]
            pieces.append(FlatPiece.of(ids, read_vectors(connection, self._table, ids, self._dimension)))
            pieces = _merged(pieces, gone)
        present = np.concatenate([piece.ids for piece in pieces]) if pieces else new
        return _State(generation, tuple(pieces), np.intersect1d(gone, present))

    def _worth_writing(self, state: _State) -> bool:
        first = state.pieces[0]
        is_in_file = isinstance(first, ListPiece) and first.is_mapped
        return not is_in_file or state.lag() > _WORTH_WRITING * len(state.ids)

    def _write(self, connection: sqlite3.Connection) -> None:
        """Make one piece of all that is held, and write it; call it with the lock held."""
        state = self._state
        assert state is not None
        piece = self._whole(connection, state)
        self._state = _State(state.generation, (piece,))
        try:
            with self._files.replacing(state.generation) as path:
                piece.write(path)
        except (OSError, RuntimeError) as error:  # FAISS raises nothing finer
            logger.warning("could not write the vectors of generation %d: %s", state.generation, error)
            return
        self._seen = state.generation
        if isinstance(piece, ListPiece):  # from now on in the file and not in memory
            self._state = self._load()
        self._sweep()

    def _whole(self, connection: sqlite3.Connection, state: _State) -> Piece:
        exact = len(state.ids) <= self._exact_rows
        first = state.pieces[0] if state.pieces else None
        if first is not None and not state.lag() and first.exact == exact:
            return first
        if exact:
            ids = state.ids
            return FlatPiece.of(ids, read_vectors(connection, self._table, ids, self._dimension))
        return self._lists(connection, state.ids, first if isinstance(first, ListPiece) else None)

    def _lists(self, connection: sqlite3.Connection, ids: Ids, before: ListPiece | None) -> ListPiece:
        """Return rows in lists: those of before with what changed, or trained anew."""
        if before is not None and 1 / _TRAIN_AGAIN < len(ids) / max(len(before.ids), 1) < _TRAIN_AGAIN:
            gone = np.setdiff1d(before.ids, ids, assume_unique=True)
            new = np.setdiff1d(ids, before.ids, assume_unique=True)
            try:
                return before.changed(gone, blocks(connection, self._table, new, self._dimension))
            except OSError as error:
                logger.info("the lists of vectors are made anew: %s", error)
        return trained_lists(connection, self._table, ids, self._dimension)

    def _sweep(self) -> None:
        """Take away older files, and what killed processes left."""
        for older in self._files.older_than(self._newest()):
            older.unlink(missing_ok=True)
        self._files.sweep()


def _merged(pieces: list[Piece], gone: Ids) -> list[Piece]:
    while (
        len(pieces) > 1
        and isinstance(pieces[-1], FlatPiece)
        and isinstance(pieces[-2], FlatPiece)
        and len(pieces[-1].ids) >= _MERGE_RATIO * len(pieces[-2].ids)
    ):
        pieces[-2:] = [merged([pieces[-2], pieces[-1]], gone)]
    return pieces
