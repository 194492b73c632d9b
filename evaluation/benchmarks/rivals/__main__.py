"""Tekio beside what else could be taken: quality, time to ingest, time of a query, memory; in one run.

    python -m evaluation.benchmarks.rivals [--beir FOLDER ...] [--queries N] [--documents N] [--threads N]

The packages are those of the optional group `rivals`; a system whose packages are missing is left out. All have the
weights of the same embedder, computed by what each takes by default, with the instructions that the model wants, and
each document is one text to them; other settings are those of the system's own guides, and stand below the table.
Each system is a process of its own. They make their indexes one after another, from texts in memory to an index on
disk where the system keeps one, without the loading of the model; then they answer the queries one at a time, in
turns of twenty, so that a busy machine is busy for all. Time of the processor (CPU) is that of all threads together,
and says more than the clock where others are at work; there `--threads 1` is fairer, since threads that wait for
each other spend it too. Memory is the most that the process held, mapped files included.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from evaluation.benchmarks.output import show
from evaluation.benchmarks.rivals.catalog import KINDS, Kind, Model, find_kinds
from evaluation.benchmarks.rivals.runner import run
from evaluation.benchmarks.rivals.subset import smaller
from evaluation.benchmarks.rivals.table import print_results, result
from evaluation.embedder import embedder_of
from evaluation.retrieval.beir import Beir, load_beir
from kernel.settings import load_settings
from retrieval.analysis import detect_language
from retrieval.errors import TekioError, UsageError

_SETS = (Path("../shared/data/scifact"), Path("../shared/data/jsquad"))
_SAMPLE = 50  # documents whose language is that of the set


def present(kinds: Sequence[Kind]) -> list[Kind]:
    """Return the systems that are installed, and say of the others what they need.

    Raises:
        UsageError: none is.
    """
    kept = []
    for kind in kinds:
        if missing := kind.missing():
            print(
                f"{kind.name} is left out: {', '.join(missing)} not installed; pip install 'tekio[rivals]'",
                file=sys.stderr,
            )
        else:
            kept.append(kind)
    if not kept:
        raise UsageError("there is no system to measure")
    return kept


def language(found: Beir) -> str:
    """Return the language of most of the first documents of a set."""
    names = [detect_language(document.text) for document in found.documents[:_SAMPLE]]
    return max(sorted(set(names)), key=names.count)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.rivals")
    parser.add_argument(
        "--beir", type=Path, nargs="+", action="extend", default=[], metavar="FOLDER", help="sets"
    )
    parser.add_argument("--queries", type=_count, help="of each set at most, taken evenly")
    parser.add_argument("--documents", type=_count, help="of each set at most, but all that are judged")
    parser.add_argument("--systems", default=",".join(KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--threads", type=_count, default=0, help="of each system; each its own if left out")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args(arguments)

    def say(text: str) -> None:
        print(text, file=sys.stderr)

    results = []
    try:
        sets = [
            smaller(load_beir(folder), options.queries, options.documents) for folder in options.beir or _SETS
        ]
        kinds = present(find_kinds(options.systems.split(",")))
        settings = load_settings()
        embedder = embedder_of(settings, say)
        signature = embedder.signature
        model = Model(str(embedder.folder), signature.query_prefix, signature.passage_prefix)
        for found in sets:
            chosen = [kind for kind in kinds if not kind.languages or language(found) in kind.languages]
            with tempfile.TemporaryDirectory(prefix="tekio-benchmark-") as place:
                runs = run(chosen, found, model, Path(place), say, threads=options.threads)
                results.append(result(found, runs))
    except TekioError as error:
        print(f"evaluation.benchmarks.rivals: {error}", file=sys.stderr)
        return error.exit_code
    show([asdict(each) for each in results], lambda: print_results(results), as_json=options.json)
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
