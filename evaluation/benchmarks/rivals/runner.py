"""Every system in a process of its own: one after another they make their indexes, then they take turns at queries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from evaluation.benchmarks.rivals.catalog import Kind, Model
from evaluation.benchmarks.rivals.messages import Answers, Ingested, Task
from evaluation.retrieval.beir import Beir
from retrieval.errors import TekioError

_TURN = 20  # queries
_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "TOKENIZERS_PARALLELISM": "true",
    "PYTHONIOENCODING": "utf-8",
}

_THREADS = ("OMP_NUM_THREADS", "TEKIO_THREADS")


@dataclass(slots=True)
class Measured:
    """What one system did."""

    kind: Kind
    ingested: Ingested
    rankings: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0
    peak_mib: float = 0.0


class _Worker:
    """The parent's end of a process."""

    def __init__(self, kind: Kind, process: subprocess.Popen[str], log: Path) -> None:
        self._kind = kind
        self._process = process
        self._log = log

    def ask(self, message: object) -> dict[str, Any]:
        """Send a line and wait for the line that answers it.

        Raises:
            TekioError: the process ended; with the last line that it wrote to standard error.
        """
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        try:
            to.write(json.dumps(message) + "\n")
            to.flush()
            line = back.readline()
        except OSError:
            line = ""
        if not line:
            code = self._process.wait()
            said = self._log.read_text("utf-8", errors="replace").strip().splitlines()
            raise TekioError(
                f"{self._kind.name} ended with exit code {code}: {said[-1] if said else 'it said nothing'}"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer


def run(
    kinds: Sequence[Kind],
    found: Beir,
    model: Model,
    folder: Path,
    say: Callable[[str], None],
    *,
    threads: int = 0,
) -> list[Measured]:
    """Measure the systems over one set, within an empty folder; `threads` of 0 leaves their number to each.

    Raises:
        TekioError: a system failed.
    """
    documents = [[document.id, document.title, document.text] for document in found.documents]
    with ExitStack() as stack:
        workers: list[tuple[_Worker, Measured]] = []
        for kind in kinds:
            place = folder / kind.name
            place.mkdir()
            worker = stack.enter_context(_started(kind, folder / f"{kind.name}.log", threads))
            task = Task(model, str(place), documents)
            ingested = Ingested(**worker.ask(asdict(task)))
            say(f"{found.name}, {kind.name}: {ingested.seconds:.1f} s to ingest")
            workers.append((worker, Measured(kind, ingested)))
        for start in range(0, len(found.queries), _TURN):
            block = found.queries[start : start + _TURN]
            for worker, measured in workers:
                answers = Answers.of(worker.ask([text for _, text in block]))
                for (name, _), ranking in zip(block, answers.rankings, strict=True):
                    measured.rankings[name] = ranking
                measured.seconds += answers.seconds
                measured.cpu_seconds += answers.cpu_seconds
                measured.peak_mib = answers.peak_mib
    return [measured for _, measured in workers]


@contextmanager
def _started(kind: Kind, log: Path, threads: int) -> Iterator[_Worker]:
    command = [sys.executable, "-m", "evaluation.benchmarks.rivals.worker", kind.name]
    limits = dict.fromkeys(_THREADS, str(threads)) if threads else {}
    with log.open("wb") as errors, _process(command, errors, limits) as process:
        try:
            yield _Worker(kind, process, log)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _process(command: Sequence[str], errors: IO[bytes], limits: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - the module beside this one
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        encoding="utf-8",
        env={**os.environ, **_QUIET, **limits},
    )
