"""What an index and its users take, computed from what was measured: memory, disk, hours, machines.

    python -m evaluation.planning [--passages 1e6,1e7,1e8] [--users 10,1000,100000] [--json]
                                  [--questions-per-hour 4] [--peak 3] [--prompt-tokens 1400] [--answer-tokens 160]
                                  [--busy 0.6] [--ingest-machines 1] [--search-ms 300] [--figures FILE]

The figures are those of `planning_figures.json`, each with the command that gives it; another machine or engine is
another file. Every result is printed with its arithmetic. Beyond what was measured these are extrapolations, which say
how: the vectors' index grows with the root of the passages (lists and what is looked through of each do), the search by
words with the passages.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from evaluation.benchmarks.output import say, show
from evaluation.planning_arithmetic import Assumptions, Row, of_passages, of_users
from retrieval.errors import TekioError, UsageError

FIGURES = Path(__file__).with_name("planning_figures.json")


def read_figures(file: Path) -> dict[str, float]:
    """Return the figures of a file by their names.

    Raises:
        UsageError: it cannot be read, or a figure is none.
    """
    try:
        held = json.loads(file.read_text(encoding="utf-8"))["figures"]
        found = {name: float(each["value"]) for name, each in held.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{file} holds no figures ({type(error).__name__}: {error})") from error
    expected = json.loads(FIGURES.read_text(encoding="utf-8"))["figures"]
    missing = sorted(set(expected) - set(found))
    if missing:
        raise UsageError(f"{file} lacks the figure '{missing[0]}'")
    wrong = [name for name, value in found.items() if not value > 0 or math.isinf(value)]
    if wrong:
        raise UsageError(f"{file}: the figure '{wrong[0]}' is not above 0")
    return found


def lines(found: Mapping[str, Mapping[float, Sequence[Row]]], assumed: Assumptions) -> list[str]:
    """Return the results as text, each with its arithmetic."""
    given = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in asdict(assumed).items())
    written = [f"supposed: {given}"]
    for what, sizes in found.items():
        for size, rows in sizes.items():
            written += ["", f"{size:,.0f} {what}"]
            written += [
                f"  {row.name:<30}{row.value:>14,.{_places(row.value)}f} {row.unit:<9} = {row.arithmetic}"
                for row in rows
            ]
    return written


def _places(value: float) -> int:
    return 0 if value >= 100 or value == int(value) else 2


def _sizes(text: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f"'{text}' are no numbers with commas between them") from error
    if not all(0 < each < 1e15 for each in found):
        raise UsageError(f"'{text}' has a number that is not above 0")
    return found


def main() -> int:
    """Print what is needed."""
    usual = Assumptions()
    parser = argparse.ArgumentParser(prog="python -m evaluation.planning")
    parser.add_argument("--passages", default="1e6,1e7,1e8")
    parser.add_argument("--users", default="10,1000,100000")
    for name, value in asdict(usual).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=value)
    parser.add_argument("--figures", type=Path, default=FIGURES)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    try:
        assumed = Assumptions(**{name: getattr(options, name) for name in asdict(usual)})
        if min(asdict(assumed).values()) <= 0 or assumed.busy > 1:
            raise UsageError("what is supposed must be above 0, and --busy at most 1")
        figures = read_figures(options.figures)
        found = {
            "passages": {size: of_passages(size, figures, assumed) for size in _sizes(options.passages)},
            "users": {size: of_users(size, figures, assumed) for size in _sizes(options.users)},
        }
    except TekioError as error:
        say(str(error))
        return error.exit_code
    rows = {
        what: {f"{size:.0f}": [asdict(row) for row in held] for size, held in sizes.items()}
        for what, sizes in found.items()
    }
    document = {"assumptions": asdict(assumed), "figures": figures, **rows}
    show(document, lambda: print("\n".join(lines(found, assumed))), as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
