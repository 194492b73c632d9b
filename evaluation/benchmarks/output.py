"""How a benchmark hands out what it measured."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from kernel.settings import Settings, load_settings
from retrieval.errors import TekioError

T = TypeVar("T")


def show(document: object, table: Callable[[], None], *, as_json: bool) -> None:
    """Print one JSON document, or what the benchmark prints for people."""
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        table()


def say(text: str) -> None:
    """Print a message beside the result."""
    print(text, file=sys.stderr)


def run_shown(
    run: Callable[[], Sequence[T]], table: Callable[[Sequence[T]], list[str]], *, as_json: bool
) -> int:
    """Measure and print, or tell in a line why that is not to be had; return the exit code.

    Args:
        run: measures; its results are dataclasses.
        table: gives the results as lines.
        as_json: print one JSON document in place of them.
    """
    try:
        results = run()
    except TekioError as error:
        say(str(error))
        return error.exit_code
    rows: list[Any] = list(results)
    show([asdict(each) for each in rows], lambda: print("\n".join(table(results))), as_json=as_json)
    return 0


def main_of_folder(
    name: str,
    holds: str,
    run: Callable[[Path, Settings], Sequence[T]],
    table: Callable[[Sequence[T]], list[str]],
) -> int:
    """Run a benchmark over a folder of data, whose results are dataclasses; return the exit code.

    Args:
        name: of the module.
        holds: what the folder holds, for the help.
        run: measures.
        table: gives the results as lines.
    """
    parser = argparse.ArgumentParser(prog=f"python -m evaluation.benchmarks.{name}")
    parser.add_argument("folder", type=Path, help=holds)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    return run_shown(lambda: run(options.folder, load_settings()), table, as_json=options.json)
