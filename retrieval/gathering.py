"""Threads that ask for the same computation at once, served together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class _Slot(Generic[_Item, _Result]):
    def __init__(self, item: _Item) -> None:
        self.item = item
        self.result: list[_Result] = []
        self.error: Exception | None = None

    @property
    def is_done(self) -> bool:
        return bool(self.result) or self.error is not None


class Gathering(Generic[_Item, _Result]):
    """A function of one thing, computed for all threads that wait for it in one go.

    Whoever holds the lock computes for itself and for those that came while it waited; nobody waits for others to
    come. Numbers computed together are powers of two, since engines keep what they make for each shape of a batch.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[_Item]], Sequence[_Result]],
        lock: AbstractContextManager[object],
        *,
        most: int,
    ) -> None:
        """Gather calls of a function.

        Args:
            compute: gives a result for each of several things.
            lock: is held while it computes.
            most: how many are computed together.
        """
        self._compute = compute
        self._lock = lock
        self._most = most
        self._waiting: deque[_Slot[_Item, _Result]] = deque()

    def __call__(self, item: _Item) -> _Result:
        """Return the result for a thing, or raise what the computation raised for it."""
        slot: _Slot[_Item, _Result] = _Slot(item)
        self._waiting.append(slot)
        with self._lock:
            while not slot.is_done:
                self._serve()
        if slot.error is not None:
            raise slot.error
        return slot.result[0]

    def _serve(self) -> None:
        """Compute for those that have waited longest; call it with the lock held."""
        count = min(len(self._waiting), self._most)
        slots = [self._waiting.popleft() for _ in range(1 << (count.bit_length() - 1))]
        try:
            results = self._compute([slot.item for slot in slots])
        except Exception:
            for slot in slots:  # each by itself: what is wrong with one is no fault of the others
                self._serve_alone(slot)
            return
        for slot, result in zip(slots, results, strict=True):
            slot.result.append(result)

    def _serve_alone(self, slot: _Slot[_Item, _Result]) -> None:
        try:
            slot.result.append(self._compute([slot.item])[0])
        except Exception as error:
            slot.error = error
