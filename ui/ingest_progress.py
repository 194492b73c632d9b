"""The progress of an ingest: a bar in a terminal, a few lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ui.console import console, say
from ui.plaintext import one_line

if TYPE_CHECKING:
    from ingest.pipeline import Progress

PLAIN_STEPS = 10
_WRITTEN = ("ok", "partial")


class Pace:
    """Counts the chunks that were made, how many a second, and the time that the rest may take."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._written = 0
        self._ahead = 0
        self._begun: tuple[int, float] | None = None

    def note(self, progress: Progress) -> None:
        """Take account of what was told."""
        if progress.file is None:
            self._ahead += progress.chunks
        elif str(progress.file.outcome) in _WRITTEN:  # an unchanged file's chunks cost nothing
            self._written += progress.file.chunks
            if self._begun is None:
                self._begun = (progress.done - 1, time.monotonic())

    @property
    def chunks(self) -> int:
        """Chunks made so far, of finished documents and of those that are under way."""
        return max(self._written, self._ahead)

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started

    @property
    def rate(self) -> float:
        """Chunks a second."""
        return self.chunks / max(self.seconds, 1e-3)

    def left(self, progress: Progress) -> str:
        """Return the time left as `m:ss`, by the pace of the files since the first that had to be read."""
        if self._begun is None or progress.done <= self._begun[0]:
            return "-:--"
        first, at = self._begun
        seconds = (time.monotonic() - at) / (progress.done - first) * (progress.total - progress.done)
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}:{rest:02d}"


@contextmanager
def ingest_progress(*, draw: bool) -> Iterator[Callable[[Progress], None]]:
    """Give a function to report to: it moves a bar in a terminal and writes a few lines elsewhere."""
    if draw:
        with _bar() as on_progress:
            yield on_progress
    else:
        yield _plain_steps()


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files  {task.fields[chunks]} chunks  {task.fields[rate]:.1f}/s", markup=False),
        TimeElapsedColumn(),
        TextColumn("left {task.fields[left]}", markup=False),
    )
    pace = Pace()
    with Bar(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None, chunks=0, rate=0.0, left="-:--")

        def on_progress(progress: Progress) -> None:
            pace.note(progress)
            bar.update(
                task,
                completed=progress.done,
                total=progress.total,
                chunks=pace.chunks,
                rate=pace.rate,
                left=pace.left(progress),
            )
            if progress.file is not None:
                name = one_line(Path(progress.file.path).name)
                bar.update(task, description=name[:29] + "…" if len(name) > 30 else name)

        yield on_progress


def _plain_steps() -> Callable[[Progress], None]:
    pace = Pace()
    last_step = 0

    def on_progress(progress: Progress) -> None:
        nonlocal last_step
        pace.note(progress)
        step = progress.done * PLAIN_STEPS // max(progress.total, 1)
        if step > last_step:
            last_step = step
            told = f"{progress.done} of {progress.total} files"
            if pace.chunks:
                told += f", {pace.chunks} chunks, {pace.rate:.1f} a second, {pace.seconds:.0f} s"
                told += f", left {pace.left(progress)}" if progress.done < progress.total else ""
            say(told)

    return on_progress
