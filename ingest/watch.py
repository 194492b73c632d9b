"""Waiting for changes of files and folders. What to do about them is the ingest's own business."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from watchfiles import Change, watch

_QUIET_MS = 500
"""A change is told when nothing more has happened for so long: editors and copies write in several steps."""
_LONGEST_MS = 5_000


def changes(paths: Sequence[Path], *, stop: threading.Event | None = None) -> Iterator[None]:
    """Yield after each change below the paths that an ingest might read.

    Hidden files and folders are passed over, in which an index may lie; `.tekioignore` is not. Ends when
    `stop` is set, and by KeyboardInterrupt.
    """
    roots = [(path.resolve(), path.is_dir()) for path in paths]
    folders = {root if is_folder else root.parent for root, is_folder in roots}

    def concerns(_change: Change, name: str) -> bool:
        path = Path(name)
        for root, is_folder in roots:
            if not is_folder and path == root:
                return True
            if is_folder and path.is_relative_to(root):
                parts = path.relative_to(root).parts
                return path.name == ".tekioignore" or not any(part.startswith(".") for part in parts)
        return False

    for _ in watch(
        *folders,
        watch_filter=concerns,
        debounce=_LONGEST_MS,
        step=_QUIET_MS,
        stop_event=stop,
        raise_interrupt=True,
    ):
        yield
