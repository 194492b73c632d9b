"""Models built by one thread at a time.

While transformers builds a model's modules it changes what belongs to the whole process: torch's default type, and the
method that ties a head to the words. Each building sets back what it found, so that of two at the same time the second
sets back what the first had changed, and from then on every model of the process lacks its head ("Cannot copy out of
meta tensor", https://github.com/huggingface/transformers/pull/44940).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_turn = threading.RLock()  # for the whole process, as what it guards is


@contextmanager
def building_in_turn() -> Iterator[None]:
    """Wait until no other thread builds a model, and have others wait until this one has built its own."""
    with _turn:
        yield
