"""BM25 over the tokens of a collection: derived from the database, brought up to date when it lags.

The database is the truth; what stands here are segments of postings (`keyword_segment.py`), of which a list with
the rows that are gone makes a state. A state is never changed: an update makes another and swaps it in, so that
threads that search go on undisturbed. Segments of like size are merged, as in a log-structured merge tree
(O'Neil et al., 1996), so that the rows of a growing index are merged a logarithmic number of times.

Files: a folder a segment, and a list of them that names the database's identity and generation; the list is
written beside and renamed, so that a kill leaves the old state or the new one.

BM25 as Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), with the inverse document
frequency ln(1 + (N - n + 0.5) / (n + 0.5)), which is never negative. Counts are of rows that are there, so that
an index that grew gives the scores of one that was made at once.
"""

from __future__ import annotations

import json
import logging
import math
import shutil
import sqlite3
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.generation_files import GenerationFiles, is_left_over
from retrieval.id_set import IdSet
from retrieval.keyword_segment import Segment
from retrieval.keyword_tokens import Term

logger = logging.getLogger(__name__)

K1 = 1.2
B = 0.75
_SAVE_LAG = 256
_FETCH_ROWS = 20_000
_SEGMENT = ".postings"
_MERGE_RATIO = 0.3  # a segment that is at least this share of the one before it is merged with it


@dataclass(frozen=True)
class _State:
    """What one generation holds. `gone` are ids, ascending; `alive` marks the rows of each segment."""

    generation: int
    segments: tuple[Segment, ...] = ()
    gone: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        alive = [~np.isin(segment.ids, self.gone, assume_unique=True) for segment in self.segments]
        rows = sum(int(mask.sum()) for mask in alive)
        total = sum(
            int(segment.lengths[mask].sum()) for segment, mask in zip(self.segments, alive, strict=True)
        )
        mean = total / rows if rows and total else 1.0
        object.__setattr__(self, "alive", alive if len(self.gone) else [None] * len(self.segments))
        object.__setattr__(self, "rows", rows)
        # What BM25 adds to a count below the line, for each row.
        object.__setattr__(
            self,
            "norms",
            [(K1 * (1 - B + B * segment.lengths / mean)).astype(np.float32) for segment in self.segments],
        )

    alive: list[NDArray[np.bool_] | None] = field(init=False)
    rows: int = field(init=False)
    norms: list[NDArray[np.float32]] = field(init=False)

    def frequency(self, token: str) -> int:
        total = 0
        for segment, alive in zip(self.segments, self.alive, strict=True):
            places, _ = segment.postings(token)
            total += len(places) if alive is None else int(alive[places].sum())
        return total

    def held(self) -> NDArray[np.int64]:
        ids = [segment.ids for segment in self.segments]
        return np.sort(np.concatenate(ids)) if ids else np.empty(0, np.int64)


def inverse_frequency(rows: int, frequency: int) -> float:
    """Return how rare a token is that stands in `frequency` of `rows` rows, in nats."""
    return math.log(1 + (rows - frequency + 0.5) / (frequency + 0.5))


class KeywordIndex:
    """BM25 search over the tokens of one collection."""

    def __init__(self, folder: Path, collection: str, table: str, database_uuid: str) -> None:
        """Describe the index of a collection.

        Args:
            folder: of the database.
            collection: its name, with which the files' names begin.
            table: of columns `id` and `tokens`, the tokens with a space between them.
            database_uuid: names the database, so that another's files are not taken for its own.
        """
        self._files = GenerationFiles(folder, collection, database_uuid, ".keywords")
        self._table = table
        self._lock = threading.Lock()
        self._state: _State | None = None
        self._saved: dict[str, Segment] = {}  # the segments that are written, by their folder's name
        self._lag = 0

    def search(
        self,
        connection: sqlite3.Connection,
        generation: int,
        terms: Sequence[Term],
        k: int,
        allowed: IdSet | None = None,
    ) -> list[tuple[int, float]]:
        """Return up to k (id, BM25 score) pairs, best first, ties by id; rows without any token are left out.

        Args:
            connection: a connection inside a read transaction of that generation.
            generation: the collection's generation in that transaction.
            terms: what is looked for.
            k: how many.
            allowed: ids that may be returned (a filter); None allows all.
        """
        state = self.current(connection, generation)
        tokens = self._weighted(state, terms)
        found: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
        for number, segment in enumerate(state.segments):
            scores = self._scores(state, number, tokens)
            alive = state.alive[number]
            if alive is not None:
                scores *= alive
            places = np.flatnonzero(scores > 0)
            if allowed is not None:
                places = places[allowed.holds(segment.ids[places])]
            if len(places) > k:
                # With the ties of the k-th, which the order by id then cuts.
                least = np.partition(scores[places], len(places) - k)[len(places) - k]
                places = places[scores[places] >= least]
            found.append((segment.ids[places], scores[places]))
        if not found:
            return []
        ids = np.concatenate([pair[0] for pair in found])
        values = np.concatenate([pair[1] for pair in found])
        order = np.lexsort((ids, -values))[:k]
        return list(zip(ids[order].tolist(), values[order].tolist(), strict=True))

    def scores_of(
        self, connection: sqlite3.Connection, generation: int, terms: Sequence[Term], ids: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], float]:
        """Return the BM25 scores of rows, shape (len(ids),), 0 for a row without any token.

        And the score of a row that would hold every token without end.
        """
        state = self.current(connection, generation)
        tokens = self._weighted(state, terms)
        values = np.zeros(len(ids), np.float32)
        for number, segment in enumerate(state.segments):
            places = np.minimum(np.searchsorted(segment.ids, ids), max(len(segment.ids) - 1, 0))
            here = segment.ids[places] == ids if len(segment.ids) else np.zeros(len(ids), bool)
            for token, weight in tokens:
                postings, counts = segment.postings(token)
                if not len(postings):
                    continue
                where = np.minimum(np.searchsorted(postings, places), len(postings) - 1)
                hit = here & (postings[where] == places)
                count = counts[where[hit]].astype(np.float32)
                values[hit] += weight * count / (count + state.norms[number][places[hit]])
        return values, sum(weight for _, weight in tokens)

    def frequencies(
        self, connection: sqlite3.Connection, generation: int, tokens: Sequence[str]
    ) -> dict[str, int]:
        """Return in how many rows each token stands."""
        state = self.current(connection, generation)
        return {token: state.frequency(token) for token in tokens}

    def _weighted(self, state: _State, terms: Sequence[Term]) -> list[tuple[str, float]]:
        """Return the tokens that are looked for, each with what it adds at most; those that stand nowhere too."""
        tokens: list[tuple[str, float]] = []
        for term in terms:
            token, frequency = term.text, state.frequency(term.text)
            if not frequency and term.otherwise is not None:
                token, frequency = term.otherwise, state.frequency(term.otherwise)
            tokens.append((token, (K1 + 1) * inverse_frequency(state.rows, frequency)))
        return tokens

    @staticmethod
    def _scores(state: _State, number: int, tokens: Sequence[tuple[str, float]]) -> NDArray[np.float32]:
        segment, norms = state.segments[number], state.norms[number]
        scores = np.zeros(len(segment.ids), np.float32)
        for token, weight in tokens:
            places, counts = segment.postings(token)
            if len(places):
                count = counts.astype(np.float32)
                scores[places] += np.float32(weight) * count / (count + norms[places])
        return scores

    # -- keeping up -----------------------------------------------------------------------------------------

    def current(self, connection: sqlite3.Connection, generation: int) -> _State:
        """Return the state of the rows that the connection's transaction sees."""
        with self._lock:
            if self._state is None:
                self._state = self._load()
            if self._state.generation != generation:
                self._state = self._updated(connection, self._state, generation)
            if self._lag >= _SAVE_LAG:
                self._save()
            return self._state

    def save(self, connection: sqlite3.Connection, generation: int) -> None:
        """Bring the index up to date and write it to its files, where they are not of this generation."""
        if not self._files.has(generation):
            self.current(connection, generation)
            with self._lock:
                self._save()
        self._sweep(generation)

    def _updated(self, connection: sqlite3.Connection, state: _State, generation: int) -> _State:
        wanted = np.array(
            [row[0] for row in connection.execute(f"SELECT id FROM {self._table} ORDER BY id")], np.int64
        )
        held = state.held()
        # An older transaction may want rows that are gone in the state, so these are counted anew as well.
        gone = np.setdiff1d(held, wanted, assume_unique=True)
        new = np.setdiff1d(wanted, held, assume_unique=True)
        self._lag += len(new) + abs(len(gone) - len(state.gone))
        segments = list(state.segments)
        for start in range(0, len(new), _FETCH_ROWS):
            segments.append(Segment.of(self._rows(connection, new[start : start + _FETCH_ROWS])))
            segments = _merged(segments, gone)
        segments = [_swept(segment, gone) for segment in segments]
        present = np.concatenate([segment.ids for segment in segments]) if segments else new
        return _State(generation, tuple(segments), np.intersect1d(gone, present, assume_unique=True))

    def _rows(self, connection: sqlite3.Connection, ids: NDArray[np.int64]) -> list[tuple[int, list[str]]]:
        query = f"SELECT id, tokens FROM {self._table} WHERE id BETWEEN ? AND ? ORDER BY id"
        wanted = set(ids.tolist())
        rows = connection.execute(query, (int(ids[0]), int(ids[-1])))
        return [(row_id, tokens.split(" ") if tokens else []) for row_id, tokens in rows if row_id in wanted]

    def _load(self) -> _State:
        for path in self._files.newest_first():
            try:
                names, gone = _read_list(path)
                segments = {name: Segment.load(path.parent / name) for name in names}
                state = _State(self._files.generation_of(path), tuple(segments.values()), gone)
            except (OSError, ValueError, KeyError, TypeError) as error:
                logger.warning("%s cannot be read and is made again: %s", path.name, error)
                continue
            self._saved = segments
            return state
        return _State(-1)

    def _save(self) -> None:
        state = self._state
        assert state is not None
        try:
            saved = {self._written(segment): segment for segment in state.segments}
            with self._files.replacing(state.generation) as path:
                path.write_text(json.dumps({"segments": list(saved), "gone": state.gone.tolist()}), "utf-8")
        except OSError as error:
            logger.warning("could not write the keywords of generation %d: %s", state.generation, error)
            return
        self._lag, self._saved = 0, saved
        self._sweep(state.generation)

    def _written(self, segment: Segment) -> str:
        """Return the name of the folder that holds a segment, which is written if it is not there."""
        for name, held in self._saved.items():
            if held is segment and (self._files.folder / name).is_dir():
                return name
        name = f"{self._files.prefix}{uuid.uuid4().hex}{_SEGMENT}"
        segment.save(self._files.folder / name)
        return name

    def _sweep(self, generation: int) -> None:
        """Take away what older generations named, and what killed processes left."""
        unused: set[str] = set()
        for path in self._files.older_than(generation):
            unused.update(_names(path))
            path.unlink(missing_ok=True)
        kept = {name for path in self._files.newest_first() for name in _names(path)}
        for path in self._files.folder.glob(f"{self._files.prefix}*{_SEGMENT}"):
            if path.name not in kept and (path.name in unused or is_left_over(path)):
                shutil.rmtree(path, ignore_errors=True)
        self._files.sweep()


def _read_list(path: Path) -> tuple[list[str], NDArray[np.int64]]:
    """Return the segments that a list names and the rows that are gone.

    Raises:
        OSError, ValueError, KeyError, TypeError: it cannot be read, or is none of ours.
    """
    listed = json.loads(path.read_text("utf-8"))
    return [str(name) for name in listed["segments"]], np.array(listed["gone"], np.int64)


def _names(path: Path) -> list[str]:
    try:
        return _read_list(path)[0]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _merged(segments: list[Segment], gone: NDArray[np.int64]) -> list[Segment]:
    segments = [segment for segment in segments if len(segment.ids)]
    while (
        len(segments) > 1
        and len(segments[-1].ids) >= _MERGE_RATIO * len(segments[-2].ids)
        and segments[-1].ids[0] > segments[-2].ids[-1]  # rows of an older transaction come after newer ones
    ):
        segments[-2:] = [Segment.merged(segments[-2:], gone)]
    return segments


def _swept(segment: Segment, gone: NDArray[np.int64]) -> Segment:
    """Return a segment without the rows that are gone, once they are many."""
    lost = int(np.isin(segment.ids, gone, assume_unique=True).sum())
    return Segment.merged([segment], gone) if lost > _MERGE_RATIO * len(segment.ids) else segment
