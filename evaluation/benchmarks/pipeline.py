"""What answering takes beside retrieval: everything but a language model's own time.

    python -m evaluation.benchmarks.pipeline [--chunks 20000] [--questions 200] [--data ../shared/data] [--json]

Questions are answered by `extractive`, over the sample corpus (those of data/questions.jsonl, which the documents are
about) and over the large index of `evaluation.benchmarks.search` (those of SciFact and JSQuAD). *added* is the time
until the answer less that of the stage `retrieve`. Each question is asked once in each way, by a process's caches that
have not seen it: *plain* without spans and stored answers; *traced* with a span for each step, made and thrown away;
*stored* with answers being stored; *again* is the same question a second time, whose answer is stored; *reading* with
the reading model, which the others are without: it drafts what `extractive` answers, as a language model does
elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, redirect_stderr
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from evaluation.benchmarks.output import say, show
from evaluation.benchmarks.search import large_index_of, questions_of
from kernel.app import Tekio
from kernel.settings import Settings, load_settings
from kernel.variant_names import EXTRACTIVE
from retrieval.errors import TekioError, UsageError

CORPUS = Path(__file__).parents[2] / "data"
STAGES = ("cache", "parts", "rank", "read", "budget", "generate", "check")
_WARMING = 5


@dataclass(frozen=True, slots=True)
class Way:
    """Milliseconds as (p50, p99): retrieval, what comes to it, and each stage of that."""

    name: str
    retrieve: tuple[float, float]
    added: tuple[float, float]
    stages: dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured over one index."""

    index: str
    passages: int
    questions: int
    ways: list[Way]


def measure(settings: Settings, name: str, questions: Sequence[str]) -> Result:
    """Ask questions over an index that is there, in every way."""
    ways: list[Way] = []
    passages = 0
    for way, changed in (
        ("plain", {"answer_cache": False, "reading": False}),
        ("traced", {"answer_cache": False, "reading": False, "trace": "console"}),
        ("reading", {"answer_cache": False}),
        ("stored", {"reading": False}),
    ):
        with tempfile.TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):
            own = {"answers": Path(folder), "variant": EXTRACTIVE, **changed}
            with closing(Tekio(settings.model_copy(update=own))) as tekio:
                passages = sum(row.chunks for row in tekio.documents())
                ways.append(asyncio.run(_asked(tekio, way, questions)))
                if way == "stored":
                    ways.append(asyncio.run(_asked(tekio, "again", questions)))
    return Result(name, passages, len(questions) - _WARMING, ways)


async def _asked(tekio: Tekio, name: str, questions: Sequence[str]) -> Way:
    times: list[dict[str, float]] = []
    for question in questions:
        began = time.perf_counter()
        answer = await tekio.ask(question)
        total = 1000 * (time.perf_counter() - began)
        times.append({**answer.timings_ms, "added": total - answer.timings_ms.get("retrieve", 0.0)})
    times = times[_WARMING:]  # the first ones load what is loaded when it is needed

    def both(key: str) -> tuple[float, float]:
        values = [each.get(key, 0.0) for each in times]
        return round(float(np.percentile(values, 50)), 2), round(float(np.percentile(values, 99)), 2)

    return Way(name, both("retrieve"), both("added"), {stage: both(stage) for stage in STAGES})


def lines(results: Sequence[Result]) -> list[str]:
    """Return the results as a table; stages by their p50."""
    written = []
    for result in results:
        written.append(f"{result.index}, {result.passages:,} passages, {result.questions} questions; ms")
        written.append(
            f"{'':8}{'added p50':>10}{'p99':>8}" + "".join(f"{name:>10}" for name in ("retrieve", *STAGES))
        )
        for way in result.ways:
            stages = [way.retrieve[0], *(way.stages[name][0] for name in STAGES)]
            row = f"{way.name:8}{way.added[0]:>10.1f}{way.added[1]:>8.1f}"
            written.append(row + "".join(f"{value:>10.1f}" for value in stages))
    return written


def _sample(settings: Settings, folder: Path) -> Result:
    with closing(Tekio(settings.model_copy(update={"index": folder}))) as tekio:
        tekio.ingest([CORPUS / "corpus"])
    rows = (CORPUS / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(row)["question"] for row in rows]
    # The first are asked a second time as others: a process warms up on questions of its own.
    warming = [f"{question} ({number})" for number, question in enumerate(questions[:_WARMING])]
    return measure(settings.model_copy(update={"index": folder}), "sample corpus", warming + questions)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.pipeline")
    parser.add_argument(
        "--chunks", type=int, default=20_000, help="passages of the large index; 0 leaves it out"
    )
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data sets")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    try:
        settings = load_settings().model_copy(update={"store": ""})
        with tempfile.TemporaryDirectory() as folder:
            results = [_sample(settings, Path(folder) / "index")]
        if options.chunks:
            place = large_index_of(settings, options.data, options.chunks, say)
            questions = questions_of(options.data, options.questions + _WARMING)
            results.append(measure(settings.model_copy(update={"index": place}), "large", questions))
    except TekioError as error:
        say(str(error))
        return 2 if isinstance(error, UsageError) else 1
    show([asdict(each) for each in results], lambda: print("\n".join(lines(results))), as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
