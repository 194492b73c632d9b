"""How much one key or user may ask of a server: requests a minute, and how large they are."""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers

from ui.identity import MACHINE, Identity
from ui.rest_models import ErrorDetail

_NO_BODY = ("GET", "HEAD", "DELETE", "OPTIONS")


class Limits:
    """Counts the requests of each identity over the last minute, in this process.

    Several servers each count their own: a key has as much at each of them.
    """

    def __init__(self, per_minute: int) -> None:
        """Start to count; `per_minute` holds for whoever has no number of their own, 0 for no limit."""
        self._per_minute = per_minute
        self._counter = MovingWindowRateLimiter(MemoryStorage())

    def refusal(self, identity: Identity, method: str, headers: Headers) -> tuple[int, ErrorDetail] | None:
        """Count a request; return the status and the reason where it is one too many, or too large."""
        if identity is MACHINE:  # nobody but who owns the machine would be kept waiting
            return None
        allowed = identity.per_minute or self._per_minute
        item = RateLimitItemPerMinute(allowed) if allowed else None
        if item is not None and not self._counter.hit(item, identity.name):
            again = self._counter.get_window_stats(item, identity.name).reset_time - time.time()
            seconds = max(1, math.ceil(again))
            message = f"{identity.shown} may send {allowed:,} requests a minute: try again in {seconds} s"
            return 429, ErrorDetail(type="rate_limited", message=message, retry_after=seconds)
        return self._too_large(identity, headers) if method not in _NO_BODY else None

    @staticmethod
    def _too_large(identity: Identity, headers: Headers) -> tuple[int, ErrorDetail] | None:
        if not identity.max_kb:
            return None
        length = headers.get("content-length", "")
        if not length.isdigit():
            message = f"{identity.shown} may send {identity.max_kb:,} kB: say how long the body is, in Content-Length"
            return 411, ErrorDetail(type="length_required", message=message)
        if int(length) > 1000 * identity.max_kb:
            message = f"{identity.shown} may send {identity.max_kb:,} kB in a request: send less at once"
            return 413, ErrorDetail(type="too_large", message=message)
        return None
