"""A segment of the keyword index: the postings of a set of rows as plain arrays, which a file is mapped onto.

Arrays, all little-endian, one `.npy` file each: `ids` int64 (n,), the rows' ids in ascending order; `lengths`
int32 (n,), the tokens of each; `hashes` uint64 (v,), the tokens' hashes in ascending order; `starts` int64
(v + 1,), where the postings of each token begin; `places` int32 (p,), the rows by their place in `ids`, ascending
for each token; `counts` uint16 (p,), how often the token stands there (65,535 at most).

A token is known by 64 bits of its BLAKE2b hash. Among a million tokens two are the same with a probability of
3 in 10^8, and would then be taken for each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_MOST = np.iinfo(np.uint16).max


@lru_cache(maxsize=1 << 18)
def token_hash(token: str) -> int:
    """Return the 64 bits by which a token is known. Keeps those of the last tokens."""
    digest = hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


@dataclass(frozen=True, slots=True)
class Segment:
    """The postings of a set of rows; never changed."""

    ids: NDArray[np.int64]
    lengths: NDArray[np.int32]
    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]
    places: NDArray[np.int32]
    counts: NDArray[np.uint16]

    @staticmethod
    def of(rows: Iterable[tuple[int, Sequence[str]]]) -> Segment:
        """Make a segment of (row id, tokens) pairs, whose ids ascend."""
        ids: list[int] = []
        lengths: list[int] = []
        hashed: list[NDArray[np.uint64]] = []
        for row_id, tokens in rows:
            ids.append(row_id)
            lengths.append(len(tokens))
            hashed.append(np.fromiter(map(token_hash, tokens), np.uint64, len(tokens)))
        places = np.repeat(np.arange(len(ids), dtype=np.int32), lengths)
        flat = np.concatenate(hashed) if hashed else np.empty(0, np.uint64)
        order = np.lexsort((places, flat))
        flat, places = flat[order], places[order]
        first = np.ones(len(flat), bool)
        first[1:] = (flat[1:] != flat[:-1]) | (places[1:] != places[:-1])
        begins = np.flatnonzero(first)
        counts = np.minimum(np.diff(np.append(begins, len(flat))), _MOST)
        return _arranged(
            np.array(ids, np.int64), np.array(lengths, np.int32), flat[begins], places[begins], counts
        )

    @staticmethod
    def merged(segments: Sequence[Segment], gone: NDArray[np.int64]) -> Segment:
        """Return one segment in place of several that follow each other, without the rows that are gone."""
        ids = np.concatenate([segment.ids for segment in segments])
        kept = ~np.isin(ids, gone, assume_unique=True)
        place_of = np.cumsum(kept, dtype=np.int32) - np.int32(1)
        offsets = np.cumsum([0, *(len(segment.ids) for segment in segments)])
        places = np.concatenate(
            [segment.places + np.int32(offset) for segment, offset in zip(segments, offsets, strict=False)]
        )
        hashes = np.concatenate([np.repeat(segment.hashes, np.diff(segment.starts)) for segment in segments])
        alive = kept[places]
        hashes, places = hashes[alive], place_of[places[alive]]
        counts = np.concatenate([segment.counts for segment in segments])[alive]
        order = np.argsort(hashes, kind="stable")  # the places of a token ascend already
        lengths = np.concatenate([segment.lengths for segment in segments])[kept]
        return _arranged(ids[kept], lengths, hashes[order], places[order], counts[order])

    def postings(self, token: str) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
        """Return the places of the rows that a token stands in, and how often."""
        key = np.uint64(token_hash(token))
        found = int(np.searchsorted(self.hashes, key))
        if found == len(self.hashes) or self.hashes[found] != key:
            return self.places[:0], self.counts[:0]
        span = slice(int(self.starts[found]), int(self.starts[found + 1]))
        return self.places[span], self.counts[span]

    def save(self, folder: Path) -> None:
        """Write the arrays into a new folder."""
        folder.mkdir()
        for item in fields(self):
            np.save(folder / f"{item.name}.npy", getattr(self, item.name), allow_pickle=False)

    @staticmethod
    def load(folder: Path) -> Segment:
        """Map the arrays of a folder.

        Raises:
            OSError, ValueError: a file is missing, cut short or none of ours.
        """
        arrays = {
            item.name: np.load(folder / f"{item.name}.npy", mmap_mode="r", allow_pickle=False)
            for item in fields(Segment)
        }
        segment = Segment(**arrays)
        if (
            len(segment.ids) != len(segment.lengths)
            or len(segment.starts) != len(segment.hashes) + 1
            or len(segment.places) != len(segment.counts)
            or int(segment.starts[-1]) != len(segment.places)
        ):
            raise ValueError("its arrays do not belong together")
        return segment


def _arranged(
    ids: NDArray[np.int64],
    lengths: NDArray[np.int32],
    flat: NDArray[np.uint64],
    places: NDArray[np.int32],
    counts: NDArray[np.generic],
) -> Segment:
    """Return a segment of postings that are in the order of their tokens' hashes."""
    first = np.ones(len(flat), bool)
    first[1:] = flat[1:] != flat[:-1]
    starts = np.append(np.flatnonzero(first), len(flat)).astype(np.int64)
    return Segment(
        ids,
        lengths,
        flat[first],
        starts,
        places.astype(np.int32, copy=False),
        counts.astype(np.uint16, copy=False),
    )
