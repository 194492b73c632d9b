"""A circuit breaker: a server that fails again and again is left alone for a while, and then tried by one request."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from retrieval.errors import BusyError


class CircuitBreaker:
    """Counts the failures of one server. Shared by the variants that it serves; takes calls from any thread.

    Args:
        name: the server, as people know it.
        failures: requests in a row that fail before it opens.
        pause: seconds until one request may try again.
        clock: gives seconds that only go forward.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = 3,
        pause: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._limit = failures
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._failed = 0
        self._why = ""
        self._opened: float | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether the server failed last, so that one request at most is let through."""
        with self._lock:
            return self._opened is not None

    def enter(self) -> None:
        """Begin a request; it ends with `worked`, `failed` or `left`.

        Raises:
            BusyError: the server is left alone now; says until when, and what was wrong.
        """
        with self._lock:
            if self._opened is None:
                return
            remaining = self._opened + self._pause - self._clock()
            if remaining > 0 or self._trying:
                seconds = max(1, math.ceil(remaining))
                raise BusyError(
                    f"{self._name} failed {self._failed} times in a row and is tried again in {seconds} s; "
                    f"last: {self._why}",
                    retry_after=seconds,
                )
            self._trying = True

    def worked(self) -> None:
        """Note that a request was answered."""
        with self._lock:
            self._failed, self._opened, self._trying = 0, None, False

    def failed(self, why: str) -> None:
        """Note that the server failed a request, and why, as one line."""
        with self._lock:
            self._failed, self._why, self._trying = self._failed + 1, why, False
            if self._failed >= self._limit:
                self._opened = self._clock()

    def left(self) -> None:
        """Note that a request ended without telling anything of the server: its caller left, or it was wrong."""
        with self._lock:
            self._trying = False
