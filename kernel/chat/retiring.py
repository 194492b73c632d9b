"""Engines whose model was made anew: they finish what they answer, and are ended then."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kernel.chat.paged.scheduler import SchedulerState

_SECONDS = 15.0
"""Between two looks. An engine that is idle in two of them is ended: a question may be on its way between them."""


class Ends(Protocol):
    """What can be ended."""

    def state(self) -> SchedulerState | None:
        """Return what is under way; None where nothing tells."""
        ...

    def close(self) -> None:
        """End it; what is under way fails."""
        ...


class Retired:
    """Engines that are not asked any more."""

    def __init__(self, *, seconds: float = _SECONDS) -> None:
        """Begin without any; `seconds` are between two looks."""
        self._seconds = seconds
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._left: list[Ends] = []

    def add(self, engine: Ends) -> None:
        """Have an engine ended as soon as nobody is answered by it."""
        with self._lock:
            self._left.append(engine)
        threading.Thread(target=self._end, args=(engine,), name="retired-model", daemon=True).start()

    def close(self) -> None:
        """End them all now."""
        self._over.set()
        with self._lock:
            left, self._left = self._left, []
        for engine in left:
            engine.close()

    def _end(self, engine: Ends) -> None:
        idle = 0
        while idle < 2:
            if self._over.wait(self._seconds):
                return
            state = engine.state()
            idle = idle + 1 if state is None or not state.running + state.waiting else 0
        with self._lock:
            if engine not in self._left:
                return
            self._left.remove(engine)
        engine.close()


__all__ = ["Ends", "Retired"]
