"""Parts of a dense index, each of vectors that never change: searched exactly, or by lists with 8-bit codes.

The lists are those of the inverted file (Sivic and Zisserman, "Video Google", ICCV 2003): each vector stands in
the list of its nearest centroid, and a search looks through the lists that are nearest to the query. Codes are of
8 bits a value, a quarter of the vector. What is found so is scored anew by the exact vectors (`VectorIndex`).
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.id_set import IdSet

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

_PARAMETERS: Any = faiss.SearchParameters
_LIST_PARAMETERS: Any = faiss.SearchParametersIVF


class Piece(Protocol):
    """Vectors with their ids."""

    ids: Ids
    """Ascending."""
    exact: bool
    """Whether its scores are those of the very vectors."""

    def search(self, vector: Floats, k: int, allowed: IdSet | None, gone: IdSet | None) -> tuple[Floats, Ids]:
        """Return up to k inner products and ids, best first.

        Args:
            vector: shape (dimension,).
            k: at least 1.
            allowed: what may be returned; none of it is gone. None allows all but `gone`.
            gone: what may not.
        """

    def write(self, path: Path) -> None:
        """Write it to a file, which `read_piece` reads."""


class FlatPiece:
    """Vectors that are all looked at."""

    exact = True

    def __init__(self, index: Any) -> None:
        """Take an IndexIDMap2 over an IndexFlatIP."""
        self._index = index
        self._places: Ids = np.array(faiss.vector_to_array(index.id_map), np.int64)
        self.ids: Ids = np.sort(self._places)

    @staticmethod
    def of(ids: Ids, vectors: Floats) -> FlatPiece:
        """Make a piece of vectors, shape (len(ids), dimension)."""
        index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
        index.add_with_ids(np.ascontiguousarray(vectors, np.float32), ids)
        return FlatPiece(index)

    def vectors(self) -> tuple[Ids, Floats]:
        """Return the ids in the order in which the vectors are held, and the vectors."""
        flat = faiss.downcast_index(self._index.index)
        return self._places, flat.reconstruct_n(0, flat.ntotal)

    def search(self, vector: Floats, k: int, allowed: IdSet | None, gone: IdSet | None) -> tuple[Floats, Ids]:
        """Return up to k inner products and ids, best first."""
        selector = _selector(allowed, gone)
        parameters = None if selector is None else _PARAMETERS(sel=selector)
        return _search(self._index, vector, min(k, len(self.ids)), parameters)

    def write(self, path: Path) -> None:
        """Write it to a file."""
        faiss.write_index(self._index, str(path))


class ListPiece:
    """Vectors in lists, of which the nearest are looked through, by codes of 8 bits a value."""

    exact = False

    def __init__(self, index: Any, path: Path | None = None) -> None:
        """Take an IndexIVFScalarQuantizer, whose `nprobe` says how many lists are looked through.

        Args:
            index: in memory, or mapped onto a file.
            path: of that file.
        """
        self.index = index
        self._path = path
        lists = index.invlists
        self._sizes = np.array([lists.list_size(number) for number in range(index.nlist)], np.int64)
        held = [
            np.array(faiss.rev_swig_ptr(lists.get_ids(number), int(size)), np.int64)
            for number, size in enumerate(self._sizes)
            if size
        ]
        # The rows list by list, so that those of a set can be counted in each.
        self._rows: Ids = np.concatenate(held) if held else np.empty(0, np.int64)
        self.ids: Ids = np.sort(self._rows)
        self._counts: weakref.WeakKeyDictionary[IdSet, Ids] = weakref.WeakKeyDictionary()

    @property
    def is_mapped(self) -> bool:
        """Whether it lies in a file and not in memory."""
        return self._path is not None

    @cached_property
    def _centroids(self) -> Floats:
        quantizer = faiss.downcast_index(self.index.quantizer)
        return np.asarray(quantizer.reconstruct_n(0, self.index.nlist), np.float32)

    def search(self, vector: Floats, k: int, allowed: IdSet | None, gone: IdSet | None) -> tuple[Floats, Ids]:
        """Return up to k inner products and ids, best first, of the lists that are looked through.

        With a filter as many rows that it allows are looked at as without one, or all of them.
        """
        if allowed is None:
            parameters = _LIST_PARAMETERS(sel=_selector(None, gone), nprobe=self.index.nprobe)
        else:
            nearest = self._nearest_lists(vector, allowed, k)
            if not len(nearest):
                return np.empty(0, np.float32), np.empty(0, np.int64)
            among = _PARAMETERS(sel=faiss.IDSelectorBatch(nearest))
            parameters = _LIST_PARAMETERS(sel=allowed.selector, nprobe=len(nearest), quantizer_params=among)
        return _search(self.index, vector, min(k, len(self.ids)), parameters)

    def write(self, path: Path) -> None:
        """Write it to a file."""
        faiss.write_index(self.index, str(path))

    def changed(self, gone: Ids, new: Iterable[tuple[Ids, Floats]]) -> ListPiece:
        """Return the piece without some rows and with others, in the same lists.

        Raises:
            OSError: its file is not there any more.
        """
        if self._path is None:
            index: Any = faiss.clone_index(self.index)
        else:  # what is mapped cannot be cloned
            try:
                index = faiss.read_index(str(self._path))
            except RuntimeError as error:
                raise OSError(str(error).strip().splitlines()[-1]) from error
        if len(gone):
            index.remove_ids(faiss.IDSelectorBatch(gone))
        for ids, vectors in new:
            index.add_with_ids(vectors, ids)
        return ListPiece(index)

    def _nearest_lists(self, vector: Floats, allowed: IdSet, k: int) -> Ids:
        counts = self._counts.get(allowed)
        if counts is None:
            ends = np.cumsum(self._sizes)
            before = np.concatenate([[0], np.cumsum(allowed.holds(self._rows))])
            counts = before[ends] - before[ends - self._sizes]
            self._counts[allowed] = counts
        order = np.argsort(-(self._centroids @ vector), kind="stable")
        order = order[counts[order] > 0]
        enough = max(self.index.nprobe * len(self._rows) / self.index.nlist, 2 * k)
        needed = int(np.searchsorted(np.cumsum(counts[order]), enough)) + 1
        return np.asarray(order[:needed], np.int64)


def read_piece(path: Path, dimension: int) -> FlatPiece | ListPiece:
    """Map a file that a piece was written to.

    Raises:
        ValueError: it cannot be read, or is none of ours.
    """
    try:
        index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:  # FAISS raises nothing finer
        raise ValueError(str(error).strip().splitlines()[-1]) from error
    if isinstance(index, faiss.IndexIDMap2) and index.d == dimension:
        return FlatPiece(index)
    if isinstance(index, faiss.IndexIVFScalarQuantizer) and index.d == dimension:
        return ListPiece(index, path)
    raise ValueError(f"it is no index of vectors of {dimension} dimensions")


def merged(pieces: list[FlatPiece], gone: Ids) -> FlatPiece:
    """Return one piece in place of several, without the rows that are gone."""
    held = [piece.vectors() for piece in pieces]
    ids = np.concatenate([each[0] for each in held])
    kept = ~np.isin(ids, gone)
    return FlatPiece.of(ids[kept], np.concatenate([each[1] for each in held])[kept])


def _selector(allowed: IdSet | None, gone: IdSet | None) -> Any:
    if allowed is not None:
        return allowed.selector
    return None if gone is None else faiss.IDSelectorNot(gone.selector)


def _search(index: Any, vector: Floats, k: int, parameters: Any) -> tuple[Floats, Ids]:
    if k < 1:
        return np.empty(0, np.float32), np.empty(0, np.int64)
    scores, ids = index.search(np.ascontiguousarray(vector, np.float32)[None], k, params=parameters)
    found = ids[0] >= 0
    return scores[0][found], ids[0][found]
