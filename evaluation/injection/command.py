"""The whole measurement in one call, and `python -m evaluation.injection`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from evaluation.injection.asking import Result, ask_cases
from evaluation.injection.cases import WORDINGS, chosen_kinds, make_cases
from evaluation.injection.documents import TaskResult, try_documents
from evaluation.injection.figures import document, missed_aims, table
from evaluation.injection.page import write_report
from kernel.settings import Settings, load_settings
from retrieval.errors import TekioError


def measure(
    settings: Settings,
    *,
    variant: str | None = None,
    technique: str | None = None,
    kinds: Sequence[str] = (),
    per_kind: int = 2,
    wording: str = WORDINGS[1],
    baseline: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> list[Result]:
    """Make the poisoned corpus in a folder that goes away afterwards, and ask.

    Args:
        settings: models and limits; its index is not touched.
        variant: who answers; None as the settings say.
        technique: how the prompt is built.
        kinds: parts of the names of kinds; none takes all.
        per_kind: questions that a kind is tried on, in each language.
        wording: `held-out`, or `development`, which was there while the defence was built.
        baseline: ask in the plain way as well.
        say: is told how far it is.

    Raises:
        UsageError: an argument is wrong.
    """
    cases = make_cases(chosen_kinds(kinds), per_kind=per_kind, wording=wording)
    with tempfile.TemporaryDirectory(prefix="tekio-injection-") as folder:
        return asyncio.run(
            ask_cases(
                cases,
                settings,
                Path(folder),
                variant=variant,
                technique=technique,
                baseline=baseline,
                say=say,
            )
        )


def measure_documents(
    settings: Settings,
    *,
    variant: str | None = None,
    kinds: Sequence[str] = (),
    per_kind: int = 2,
    wording: str = WORDINGS[1],
    say: Callable[[str], None] = lambda text: None,
) -> list[TaskResult]:
    """Make the poisoned corpus, and summarise, compare and read out each poisoned document; see `measure`."""
    cases = make_cases(chosen_kinds(kinds), per_kind=per_kind, wording=wording)
    with tempfile.TemporaryDirectory(prefix="tekio-injection-") as folder:
        return asyncio.run(try_documents(cases, settings, Path(folder), variant=variant, say=say))


def main() -> int:
    """Run it from a module."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.injection")
    parser.add_argument("--variant", help="who answers")
    parser.add_argument("--technique", help="how the prompt is built")
    parser.add_argument("--kind", action="append", default=[], help="part of a kind's name; repeat it")
    parser.add_argument("--per-kind", type=int, default=2, help="questions for each kind and language")
    parser.add_argument("--wording", default=WORDINGS[1], help=" or ".join(WORDINGS))
    parser.add_argument("--no-baseline", action="store_true", help="leave out the plain way")
    parser.add_argument("--report", type=Path, help="write an HTML page there")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    try:
        results = measure(
            load_settings(),
            variant=options.variant,
            technique=options.technique,
            kinds=options.kind,
            per_kind=options.per_kind,
            wording=options.wording,
            baseline=not options.no_baseline,
            say=lambda text: print(text, file=sys.stderr, flush=True),
        )
    except TekioError as error:
        print(f"injection: {error}", file=sys.stderr)
        return error.exit_code
    if options.report:
        print(f"report: {write_report(options.report, results)}", file=sys.stderr)
    if options.json:
        print(json.dumps(document(results), ensure_ascii=False, indent=2))
    else:
        print("\n".join(table(results)))
    return 3 if missed_aims(results) else 0
