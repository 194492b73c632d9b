"""`ingest`: the progress of the work, and a report that says what to do about each file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.console import console, print_json, print_table, print_text, say
from ui.opening import opened
from ui.options import IndexOption, JsonFlag
from ui.plaintext import one_line

if TYPE_CHECKING:
    from ingest.pipeline import Progress
    from ingest.report import FileReport, IngestReport

PLAIN_STEPS = 10
_UNREMARKABLE = ("ok", "unchanged")
_WRITTEN = ("ok", "partial")
_ADVICE = {
    "partial": "a part was not read; use OCR (e.g. ocrmypdf) where pages are pictures, and ingest again",
    "no_text_layer": "a scan without text; use OCR (e.g. ocrmypdf) and ingest again",
    "empty": "nothing in it to read; check that it is the right file",
    "encrypted": "save a copy without the password and ingest that",
    "unsupported": "this format is not read; save it as PDF, Word, HTML, Markdown or text",
    "failed": "see the reason, mend the file and ingest again; the other files are not affected",
    "removed": "no longer in the folder, so taken out of the index; nothing to do",
}

PathsArgument = Annotated[list[Path], typer.Argument(help="Files and folders.", metavar="PATH...")]


def ingest(paths: PathsArgument, as_json: JsonFlag = False, index: IndexOption = None) -> None:
    """Bring the index in step with files and folders."""
    with opened(index) as tekio, _progress(draw=sys.stderr.isatty() and not as_json) as on_progress:
        report = tekio.ingest(paths, on_progress=on_progress)
    if as_json:
        print_json(report.as_dict())
    else:
        _print_report(report)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def _print_report(report: IngestReport) -> None:
    print_text(
        f"added {report.added}  updated {report.updated}  unchanged {report.unchanged}  "
        f"removed {report.removed}  failed {report.failed}"
    )
    rows = [
        (file.path, str(file.outcome), _reason(file), _ADVICE.get(str(file.outcome), ""))
        for file in report.files
        if str(file.outcome) not in _UNREMARKABLE
    ]
    if rows:
        print_text()
        print_table(("file", "outcome", "reason", "what to do"), rows)


def _reason(file: FileReport) -> str:
    parts = [file.message] if file.message else []
    if file.empty_pages:
        pages = ", ".join(str(page) for page in file.empty_pages[:10])
        more = " …" if len(file.empty_pages) > 10 else ""
        of = f" of {file.pages}" if file.pages else ""
        parts.append(f"{len(file.empty_pages)}{of} pages without text: {pages}{more}")
    return "; ".join(parts)


class _Pace:
    """Counts the chunks that were made, and how many a second."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self.chunks = 0

    def note(self, file: FileReport) -> None:
        if str(file.outcome) in _WRITTEN:  # an unchanged file's chunks cost nothing
            self.chunks += file.chunks

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def rate(self) -> float:
        return self.chunks / max(self.seconds, 1e-3)


@contextmanager
def _progress(*, draw: bool) -> Iterator[Callable[[Progress], None]]:
    """Give a function to report to: it moves a bar in a terminal and writes a few lines elsewhere."""
    if draw:
        with _bar() as on_progress:
            yield on_progress
    else:
        yield _plain_steps()


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files  {task.fields[chunks]} chunks  {task.fields[rate]:.1f}/s", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    pace = _Pace()
    with Bar(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None, chunks=0, rate=0.0)

        def on_progress(progress: Progress) -> None:
            pace.note(progress.file)
            name = one_line(Path(progress.file.path).name)
            bar.update(
                task,
                description=name[:29] + "…" if len(name) > 30 else name,
                completed=progress.done,
                total=progress.total,
                chunks=pace.chunks,
                rate=pace.rate,
            )

        yield on_progress


def _plain_steps() -> Callable[[Progress], None]:
    pace = _Pace()
    last_step = 0

    def on_progress(progress: Progress) -> None:
        nonlocal last_step
        pace.note(progress.file)
        step = progress.done * PLAIN_STEPS // max(progress.total, 1)
        if step > last_step:
            last_step = step
            say(f"{progress.done} of {progress.total} files, {pace.chunks} chunks, {pace.seconds:.0f} s")

    return on_progress
