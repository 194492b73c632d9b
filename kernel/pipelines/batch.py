"""A pipeline over many rows: some at once, each with its outcome, and going on where it stopped.

Each outcome is written as it comes. A row that is done is not run again while its text and the pipeline are the same;
one that failed is.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from kernel.answer import Answer, PipelineStep
from kernel.pipelines.events import PipelineResult, StepFailedError
from retrieval.errors import TekioError, UsageError
from retrieval.whole_files import write_whole

_TEXTS = ("text", "question", "input")
MOST_AT_ONCE = 32
_BEGINNING = '{"row":'
Run = Callable[[str], Awaitable[PipelineResult]]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a batch; `wrong` says why it cannot be run."""

    number: int
    id: Any
    text: str
    wrong: str = ""


class Outcome(BaseModel):
    """What became of a row: a line of the results."""

    model_config = ConfigDict(extra="forbid")

    row: int
    id: Any = None
    key: str
    outcome: Literal["ok", "failed"]
    output: Any = None
    output_type: str = ""
    error: str = ""
    steps: list[PipelineStep] = []
    answer: Answer | None = None
    ms: float = 0.0


@dataclass(slots=True)
class Counts:
    """How a batch stands."""

    rows: int
    kept: int = 0
    done: int = 0
    failed: int = 0


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a batch: JSON lines, each a text or an object with `text` (or `question`) and perhaps `id`.

    Raises:
        UsageError: the file cannot be read, or holds no row.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: save it as UTF-8 and run it again") from error
    rows = [_row(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise UsageError(f"{path} holds no row: write a JSON object with `text` on each line")
    return rows


def _row(number: int, line: str) -> Row:
    try:
        held = json.loads(line)
    except (ValueError, RecursionError):
        return Row(number, None, "", "the line is not valid JSON")
    if isinstance(held, str):
        return Row(number, None, held)
    if not isinstance(held, dict):
        return Row(number, None, "", "the line is neither a text nor an object")
    text = next((held[name] for name in _TEXTS if name in held), None)
    if not isinstance(text, str):
        return Row(number, held.get("id"), "", "it has no `text`")
    return Row(number, held.get("id"), text)


class Results:
    """The file of outcomes, a JSON line each."""

    def __init__(self, path: Path, pipeline: str) -> None:
        """Take a file that is there or not, and what changes with the pipeline."""
        self._path, self._pipeline = path, pipeline
        self._file: IO[str] | None = None

    def key(self, row: Row) -> str:
        """Return what changes with a row's text and with the pipeline."""
        return hashlib.sha256(f"{self._pipeline}\0{row.text}".encode("utf-8", "surrogatepass")).hexdigest()[
            :16
        ]

    @contextmanager
    def writing(self, rows: Sequence[Row]) -> Iterator[set[int]]:
        """Open the file; give the numbers of the rows that are done already.

        Raises:
            UsageError: a file is there that holds other things than outcomes.
            TekioError: it cannot be written.
        """
        wanted = {row.number: self.key(row) for row in rows}
        kept = {
            held.row: held
            for held in self._held()
            if held.outcome == "ok" and wanted.get(held.row) == held.key
        }
        write_whole(self._path, "".join(f"{_line(held)}\n" for held in kept.values()))
        try:
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise TekioError(f"cannot write {self._path}: {error.strerror or error}") from error
        try:
            yield set(kept)
        finally:
            self._file.close()
            self._file = None

    def add(self, outcome: Outcome) -> None:
        """Write an outcome, so that it outlives the process."""
        assert self._file is not None
        self._file.write(f"{_line(outcome)}\n")
        self._file.flush()

    def _held(self) -> list[Outcome]:
        if not self._path.exists():
            return []
        try:
            *lines, last = self._path.read_text("utf-8").split("\n")
        except OSError as error:
            raise UsageError(f"{self._path} cannot be read: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise self._foreign() from error
        if last and not last.startswith(_BEGINNING[: len(last)]):  # else it was cut by a kill
            raise self._foreign()
        try:
            return [Outcome.model_validate_json(line) for line in lines if line.strip()]
        except ValidationError as error:
            raise self._foreign() from error

    def _foreign(self) -> UsageError:
        return UsageError(
            f"{self._path} is there and holds something else than results of a pipeline: name another file"
        )


async def run_batch(
    rows: Sequence[Row],
    results: Results,
    run: Run,
    *,
    at_once: int,
    on_row: Callable[[Counts, Outcome], None],
) -> Counts:
    """Run the rows that are not done yet, some at once; write what becomes of each.

    Args:
        rows: of the batch.
        results: where outcomes go.
        run: runs the pipeline for a text.
        at_once: how many rows are at work at a time.
        on_row: is told of each row that was run.
    """
    counts = Counts(len(rows))
    with results.writing(rows) as done:
        counts.kept = len(done)
        waiting = iter([row for row in rows if row.number not in done])

        async def work() -> None:
            for row in waiting:
                outcome = await _outcome(row, results.key(row), run)
                results.add(outcome)
                counts.done += outcome.outcome == "ok"
                counts.failed += outcome.outcome == "failed"
                on_row(counts, outcome)

        workers = [asyncio.create_task(work()) for _ in range(at_once)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
    return counts


async def _outcome(row: Row, key: str, run: Run) -> Outcome:
    if row.wrong:
        return Outcome(row=row.number, id=row.id, key=key, outcome="failed", error=row.wrong)
    try:
        result = await run(row.text)
    except StepFailedError as error:
        return _of(row, key, error.result)
    except TekioError as error:
        return Outcome(row=row.number, id=row.id, key=key, outcome="failed", error=str(error))
    return _of(row, key, result)


def _of(row: Row, key: str, result: PipelineResult) -> Outcome:
    return Outcome(
        row=row.number,
        id=row.id,
        key=key,
        outcome="failed" if result.error else "ok",
        output=result.output,
        output_type=result.output_type,
        error=result.error,
        steps=result.steps,
        answer=result.answer,
        ms=result.ms,
    )


def _line(outcome: Outcome) -> str:
    return outcome.model_dump_json()
