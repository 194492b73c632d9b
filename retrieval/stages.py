"""Which step of the work takes how long: a tree of steps, kept for whoever began its root.

A step is begun within the one that is under way in the same context (tasks and `asyncio.to_thread` take it along).
Where none is under way nobody asked, and a step costs a look at a context variable.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Protocol

Value = str | int | float | bool | tuple[str, ...]


class Watcher(Protocol):
    """Is told of every step of a tree as it begins and ends, from whichever thread works on it."""

    def began(self, step: Step, within: Step | None) -> Any:
        """Return what is to be kept as the step's `mark`."""

    def ended(self, step: Step) -> None:
        """Take note of a step that has ended."""


class Step:
    """A step of the work. As a context it is the one under way in there; else end it by `end`.

    `notes` are plain facts such as counts, which say nothing of what was asked or found; `content` are texts that do,
    kept apart so that they are shown to nobody who did not ask for them. `error` is the class of what ended it.
    """

    __slots__ = (
        "_token",
        "_watcher",
        "content",
        "ended",
        "error",
        "mark",
        "name",
        "notes",
        "started",
        "within",
    )

    def __init__(self, name: str, *, watcher: Watcher | None = None, parent: Step | None = None) -> None:
        self.name = name
        self.notes: dict[str, Value] = {}
        self.content: dict[str, Any] = {}
        self.within: list[Step] = []
        self.error = ""
        self.ended: float | None = None
        self._watcher = watcher
        self._token: Token[Step | None] | None = None
        self.started = time.perf_counter()
        if parent is not None:
            parent.within.append(self)
        self.mark = watcher.began(self, parent) if watcher is not None else None

    def begin(self, name: str) -> Step:
        """Begin a step within this one."""
        return Step(name, watcher=self._watcher, parent=self)

    def note(self, **facts: Value) -> None:
        """Keep facts that give away nothing of a question or a document."""
        self.notes.update(facts)

    def show(self, **texts: Any) -> None:
        """Keep texts of the question, the prompt or the documents."""
        self.content.update(texts)

    def end(self, error: BaseException | None = None) -> None:
        """End the step; a second time does nothing."""
        if self.ended is not None:
            return
        self.ended = time.perf_counter()
        if error is not None:
            self.error = type(error).__name__
        if self._watcher is not None:
            self._watcher.ended(self)

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return (time.perf_counter() if self.ended is None else self.ended) - self.started

    def all(self) -> Iterator[Step]:
        """Yield the step and all within it, in the order in which they began."""
        yield self
        for step in list(self.within):
            yield from step.all()

    def __enter__(self) -> Step:
        """Be the step under way."""
        self._token = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End, and leave what was under way before under way again."""
        assert self._token is not None
        _current.reset(self._token)
        self.end(error)


class _Nobodys:
    """Stands for a step that nobody asked for."""

    __slots__ = ()

    def note(self, **facts: Value) -> None:
        """Keep nothing."""

    def show(self, **texts: Any) -> None:
        """Keep nothing."""

    def __enter__(self) -> _Nobodys:
        return self

    def __exit__(self, *_: object) -> None:
        return None


_current: ContextVar[Step | None] = ContextVar("tekio_step", default=None)
_NOBODYS = _Nobodys()


def step(name: str) -> Step | _Nobodys:
    """Begin a step within the one under way; use it as a context."""
    parent = _current.get()
    return _NOBODYS if parent is None else parent.begin(name)


def under_way() -> Step | _Nobodys:
    """Return the step under way, to note something of it."""
    return _current.get() or _NOBODYS
