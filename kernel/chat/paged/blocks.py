"""The blocks of the cache: who holds them, and which keep what was read before, found again by its tokens."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

_ROOT = b""


class BlockPool:
    """Blocks by number. One that nobody holds keeps its content until its room is needed, least recently used first.

    A block is known by its own tokens, by all that stand before them and by the adapter that read them: equal names
    mean equal keys and values.
    """

    def __init__(self, count: int, size: int) -> None:
        """Begin with empty blocks.

        Args:
            count: of blocks.
            size: tokens of each.
        """
        self.count, self.size = count, size
        self._free = list(range(count - 1, -1, -1))
        self._holders = [0] * count
        self._names: dict[int, bytes] = {}
        self._known: dict[bytes, int] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()

    @property
    def available(self) -> int:
        """How many blocks can be taken."""
        return len(self._free) + len(self._idle)

    @property
    def kept(self) -> int:
        """How many blocks nobody holds, but keep what was read."""
        return len(self._idle)

    def needed(self, tokens: int) -> int:
        """Return how many blocks hold so many tokens."""
        return -(-tokens // self.size)

    def names(self, ids: Sequence[int], adapter: str) -> list[bytes]:
        """Return the names of the whole blocks that a text fills from its beginning."""
        name = hashlib.blake2b(adapter.encode(), digest_size=16).digest()
        found = []
        for start in range(0, len(ids) - self.size + 1, self.size):
            tokens = np.asarray(ids[start : start + self.size], np.int64).tobytes()
            name = hashlib.blake2b(name + tokens, digest_size=16).digest()
            found.append(name)
        return found

    def find(self, names: Sequence[bytes]) -> list[int]:
        """Return the blocks that are known of a beginning, and hold them."""
        blocks = []
        for name in names:
            block = self._known.get(name)
            if block is None:
                break
            blocks.append(block)
        for block in blocks:
            self._holders[block] += 1
            self._idle.pop(block, None)
        return blocks

    def take(self, count: int) -> list[int] | None:
        """Return so many blocks to write into, and hold them; None where there are not as many."""
        if count > self.available:
            return None
        taken = []
        for _ in range(count):
            if self._free:
                block = self._free.pop()
            else:
                block, _ = self._idle.popitem(last=False)
                self._forget(block)
            self._holders[block] = 1
            taken.append(block)
        return taken

    def name(self, block: int, name: bytes) -> None:
        """Say what a block that is full holds, unless another one is known to hold it."""
        if name not in self._known:
            self._known[name] = block
            self._names[block] = name

    def release(self, blocks: Sequence[int]) -> None:
        """Hold blocks no longer; the last of a text goes first when room is needed."""
        for block in reversed(blocks):
            self._holders[block] -= 1
            if self._holders[block] == 0:
                if block in self._names:
                    self._idle[block] = None
                else:
                    self._free.append(block)

    def clear(self) -> None:
        """Forget what the blocks hold, which may be damaged; those that are held stay so."""
        self._known.clear()
        self._names.clear()
        self._free.extend(self._idle)
        self._idle.clear()

    def _forget(self, block: int) -> None:
        self._known.pop(self._names.pop(block), None)
