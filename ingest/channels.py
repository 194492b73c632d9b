"""Queues between the stages of an ingest: bounded, and given up together when one of them fails."""

from __future__ import annotations

import queue
import threading
from typing import Generic, TypeVar

T = TypeVar("T")
_WAKE_SECONDS = 0.2


class StoppedError(Exception):
    """The ingest was given up; a stage that gets this only has to end."""


class Stop:
    """Tells all stages to end, and keeps the first reason."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self.error: BaseException | None = None

    def set(self, error: BaseException | None = None) -> None:
        """Tell all stages to end."""
        with self._lock:
            if self.error is None:
                self.error = error
        self._event.set()

    def check(self) -> None:
        """Raise `StoppedError` when the stages are to end."""
        if self._event.is_set():
            raise StoppedError


class Channel(Generic[T]):
    """A bounded queue whose waiting ends when the ingest is stopped."""

    def __init__(self, size: int, stop: Stop) -> None:
        self._queue: queue.Queue[T] = queue.Queue(size)
        self._stop = stop

    def put(self, item: T) -> None:
        """Put an item, waiting for room.

        Raises:
            StoppedError: the ingest was given up.
        """
        while True:
            self._stop.check()
            try:
                self._queue.put(item, timeout=_WAKE_SECONDS)
                return
            except queue.Full:
                continue

    def get(self) -> T:
        """Take an item, waiting for one.

        Raises:
            StoppedError: the ingest was given up.
        """
        while True:
            self._stop.check()
            try:
                return self._queue.get(timeout=_WAKE_SECONDS)
            except queue.Empty:
                continue

    def poll(self) -> T | None:
        """Take an item if there is one."""
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return None
