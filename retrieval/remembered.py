"""The last results of a computation, kept while they are asked for, within a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Keeps what was used last, by its key. Safe between threads, which compute beside one another.

    What a key is of must be in the key: the generation of the index, who asks. So nothing is ever taken out because
    it became wrong, only because others were used since.
    """

    def __init__(self, most: float, size_of: Callable[[V], float] = lambda value: 1) -> None:
        """Keep results.

        Args:
            most: the greatest sum of their sizes; 0 keeps nothing.
            size_of: gives the size of one; unless given each counts as 1.
        """
        self._most = most
        self._size_of = size_of
        self._held: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self._lock = threading.Lock()
        self.size = 0.0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: K) -> V | None:
        """Return what is kept under a key; None where nothing is."""
        with self._lock:
            found = self._held.get(key)
            if found is None:
                self.misses += 1
                return None
            self._held.move_to_end(key)
            self.hits += 1
            return found[0]

    def put(self, key: K, value: V) -> V:
        """Keep a result, in place of those used longest ago; return it."""
        size = self._size_of(value)
        if size > self._most:
            return value
        with self._lock:
            if key in self._held:
                self.size -= self._held.pop(key)[1]
            self._held[key] = value, size
            self.size += size
            while self.size > self._most:
                _, (_, gone) = self._held.popitem(last=False)
                self.size -= gone
        return value

    def of(self, key: K, compute: Callable[[], V]) -> V:
        """Return what is kept under a key, or compute it; two that come at once may both compute it."""
        found = self.get(key)
        return self.put(key, compute()) if found is None else found

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._held.clear()
            self.size = 0.0
