"""Parts that take seconds to load, loaded beside each other, each once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from kernel.safe_parsing import guard_parsing

EMBEDDER = "embedder"
"""The name of the embedder among the parts."""
THREAD = "tekio-loading"
"""What the names of the threads begin with, by which whoever ends the process knows that one is under way."""


class Loading:
    """What is loaded and what is under way. A part that failed is tried again when it is asked for again.

    Most of the time is spent in code that lets Python go on: reading files, compiling a model's graph.
    """

    def __init__(self) -> None:
        guard_parsing()
        self._lock = threading.Lock()
        self._parts: dict[str, Future[None]] = {}

    def begin(self, name: str, load: Callable[[], object]) -> Future[None]:
        """Begin to load a part in a thread of its own, unless that is under way or done.

        Args:
            name: of the part.
            load: loads it; called at most once at a time, and not again when it has returned.
        """
        with self._lock:
            held = self._parts.get(name)
            if held is not None and not (held.done() and held.exception() is not None):
                return held
            begun = self._parts[name] = Future[None]()
        threading.Thread(target=_run, args=(begun, load), name=f"{THREAD} {name}").start()
        return begun

    def is_done(self, name: str) -> bool:
        """Say whether a part is loaded."""
        with self._lock:
            held = self._parts.get(name)
        return held is not None and held.done() and held.exception() is None


def is_under_way() -> bool:
    """Say whether anything is being loaded in this process."""
    return any(thread.name.startswith(THREAD) for thread in threading.enumerate())


def _run(begun: Future[None], load: Callable[[], object]) -> None:
    try:
        load()
    except BaseException as error:  # whoever waits for the part is told
        begun.set_exception(error)
    else:
        begun.set_result(None)
