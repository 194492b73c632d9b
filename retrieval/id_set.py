"""Sets of row ids as bitmaps: what a filter holds for, and what is gone."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


class IdSet:
    """A set of row ids, which are never negative; never changed."""

    def __init__(self, ids: NDArray[np.int64]) -> None:
        """Make the set of ids that ascend."""
        self.ids = ids
        flags = np.zeros((int(ids[-1]) if len(ids) else 0) + 1, np.uint8)
        flags[ids] = 1
        self._bits = np.packbits(flags, bitorder="little")
        self._end = len(flags)

    def __len__(self) -> int:
        return len(self.ids)

    def holds(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell for each id whether it is in the set."""
        inside = ids < self._end
        clipped = np.where(inside, ids, 0)
        return np.asarray(inside & ((self._bits[clipped >> 3] >> (clipped & 7) & 1) == 1))

    @cached_property
    def selector(self) -> Any:
        """The set as FAISS takes it; it reads the bitmap of this object, which must outlive it."""
        import faiss

        make: Any = faiss.IDSelectorBitmap  # its declaration is that of C++, not of the Python wrapper
        return make(self._bits)
