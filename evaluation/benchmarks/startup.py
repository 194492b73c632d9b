"""How long the command line takes to answer: help, and a question's first token.

    python -m evaluation.benchmarks.startup [--index DIR] [--variant base] [--runs 5] [--question TEXT] [--json]

Each run is a process of its own, as a person starts it; the files are in the disk cache, since the first run is
thrown away. *help* is `tekio --help` from its start to its end. *first token* is `tekio ask` in a terminal (a pseudo
one), from its start to the first character that it writes there; with a variant that writes nothing, to the answer.
Without --index a new one of data/corpus is made.

Where the time goes is measured in further runs, of the same steps in the same order: what stands beside each other runs
at the same time, so that a step's time is what was waited for it. Medians; milliseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from evaluation.benchmarks.output import say, show
from retrieval.errors import TekioError

ROOT = Path(__file__).parents[2]
QUESTION = "How long does a completed MRI screening form stay valid?"
STEPS = (
    "Python",
    "application",
    "kernel, index",
    "embed",
    "search",
    "read",
    "rank",
    "prompt",
    "first token",
)
"""What is waited for, in its order.

*Python* is its own start, *application* settings and the facade imported, *kernel, index* Semantic Kernel's import and
the index opened, *embed* the question with what is left of the embedder's loading, *read* the same of the reading
model, *rank* the sentences and all else, *prompt* the counting of its tokens, and *first token* what is left of the
language model's loading, and its work.
"""
_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Result:
    """Medians in milliseconds."""

    runs: int
    variant: str
    help_ms: float
    first_token_ms: float
    steps_ms: dict[str, float]


def measure(index: Path, variant: str, question: str, runs: int) -> Result:
    """Start the commands so many times, and once before."""

    def median(once: Callable[[], float]) -> float:
        times = [once() for _ in range(runs + 1)][1:]
        return round(statistics.median(times), 1)

    ask = ["ask", question, "--no-cache", "--variant", variant, "--index", str(index)]
    helped = median(lambda: _seconds_to_end(["--help"]) * 1000)
    first = median(lambda: _seconds_to_first_character(ask) * 1000)
    probes = [_probe(index, variant, question) for _ in range(runs)]
    steps = {name: round(statistics.median(each[name] for each in probes), 1) for name in STEPS}
    return Result(runs, variant, helped, first, steps)


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "ui.cli", *arguments]


def _environment() -> dict[str, str]:
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": paths}


def _seconds_to_end(arguments: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(  # noqa: S603 - our own words
        _command(arguments), check=True, stdout=subprocess.DEVNULL, env=_environment(), timeout=_SECONDS
    )
    return time.perf_counter() - began


def _seconds_to_first_character(arguments: Sequence[str]) -> float:
    import pty  # of Unix alone

    ours, theirs = pty.openpty()
    began = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - our own words
        _command(arguments), stdout=theirs, stderr=subprocess.DEVNULL, env=_environment()
    ) as process:
        os.close(theirs)
        try:
            os.read(ours, 1)
            first = time.perf_counter() - began
            while os.read(ours, 4096):
                pass
        except OSError:  # Linux's way to say that the other side is closed
            pass
        finally:
            os.close(ours)
    if process.returncode:
        raise TekioError(f"`tekio ask` ended with code {process.returncode}")
    return first


def _probe(index: Path, variant: str, question: str) -> dict[str, float]:
    command = [sys.executable, "-m", "evaluation.benchmarks.startup_probe", str(index), variant, question]
    environment = {**_environment(), "TEKIO_STARTED": repr(time.time())}
    done = subprocess.run(  # noqa: S603 - our own words
        command, capture_output=True, text=True, env=environment, timeout=_SECONDS
    )
    if done.returncode:
        raise TekioError(f"a run ended with code {done.returncode}: {done.stderr.strip()[-300:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def lines(result: Result) -> list[str]:
    """Return a result as a table."""
    sums, rows = 0.0, []
    for name, value in result.steps_ms.items():
        sums += value
        rows.append(f"  {name:<16}{value:>8.0f}{sums:>9.0f}")
    return [
        f"medians of {result.runs} runs, ms",
        f"tekio --help{result.help_ms:>18.0f}",
        f"tekio ask, first token{result.first_token_ms:>7.0f}   ({result.variant})",
        f"  {'where it goes':<16}{'waited':>8}{'until':>9}",
        *rows,
    ]


@contextmanager
def sample_index(given: Path | None) -> Iterator[Path]:
    """Give the index that was named, else one of data/corpus that is made and gone afterwards."""
    if given is not None:
        yield given
        return
    from kernel.app import Tekio
    from kernel.settings import load_settings

    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        with closing(Tekio(load_settings(index=str(index)), on_message=say)) as tekio:
            tekio.ingest([ROOT / "data" / "corpus"])
        yield index


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.startup")
    parser.add_argument("--index", type=Path)
    parser.add_argument("--variant", default="base")
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs is at least 1")
    try:
        with sample_index(options.index) as index:
            result = measure(index.resolve(), options.variant, options.question, options.runs)
    except TekioError as error:
        say(str(error))
        return error.exit_code
    show(asdict(result), lambda: print("\n".join(lines(result))), as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
