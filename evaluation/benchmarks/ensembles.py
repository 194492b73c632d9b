"""What an ensemble is worth beside its members, on halves of three sets of questions and on all of them together.

    python -m evaluation.benchmarks.ensembles careful ../shared/data --index .tekio/demo

The ensemble is one of the settings. Its members answer the second half of the documents of the sample questions (over
the index of the sample corpus), of LIT-RAGBench (English) and of 100 questions of XQuAD (English), the two last over
their own passages; the first halves are for choosing rules and thresholds. `always` asks all members, `as set` does as
the settings say. The best member is the best on these very questions, by each figure.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adaptation.ensembles.cases import Case
from adaptation.ensembles.command import ensemble_of, recorded_cases
from evaluation.answers.command import Selection, read_selection
from evaluation.answers.pool import pooled_index
from evaluation.benchmarks.output import run_shown, say
from evaluation.ensembles.askings import askings_of
from evaluation.ensembles.command import fitted_of
from evaluation.ensembles.figures import Taken, difference, figures, of_ensemble, of_member
from kernel.app import Tekio
from kernel.ensembles.election import Elector
from kernel.ensembles.settings import EnsembleSettings
from kernel.settings import Settings, load_settings

_HELD_OUT = "2/2"
_OF_XQUAD = 100
_FIGURES = ("token_f1", "refusal_f1")
AIM = 0.03
"""What the ensemble should have more than its best member, by one of the figures."""


def selections(data: Path, questions: Path) -> dict[str, Selection]:
    """Return the questions by the names of their sets."""
    return {
        "sample questions": Selection(questions, fold=_HELD_OUT),
        "LIT-RAGBench, English": Selection(data / "lit_ragbench" / "en.jsonl", pool=True, fold=_HELD_OUT),
        "xquad_en": Selection(data / "xquad_en", pool=True, fold=_HELD_OUT, sample=_OF_XQUAD),
    }


@dataclass(frozen=True, slots=True)
class Measured:
    """An ensemble over the questions of one set, figures as JSON values.

    Attributes:
        name: of the set.
        questions: how many.
        answerable: how many of them.
        ways: figures of each member, of the ensemble asking all (`always`) and as its settings say (`as set`).
        gains: `always` and `as set` less the best member, by figure.
        cost: tokens and time of `as set`, as shares of those of the dearest member.
    """

    name: str
    questions: int
    answerable: int
    ways: Mapping[str, Any]
    gains: Mapping[str, Any]
    cost: Mapping[str, float]


def measured(name: str, told: EnsembleSettings, cases: Sequence[Case], elector: Elector) -> Measured:
    """Measure an ensemble over recorded answers. Asks nobody."""
    answerable = np.array([case.refused < 1 for case in cases], np.bool_)
    members = [of_member(cases, place, member.name) for place, member in enumerate(told.members)]
    ways = [of_ensemble(cases, elector, "always", one_by_one=False)]
    ways.append(of_ensemble(cases, elector, "as set", one_by_one=told.if_below is not None))
    found = {way.name: figures(way, answerable) for way in (*members, *ways)}
    gains: dict[str, Any] = {}
    for figure in _FIGURES:
        shown = [member for member in members if figure in found[member.name]]
        if shown:
            best = max(shown, key=lambda member: float(found[member.name][figure]["value"]))
            gains[figure] = {"best": best.name} | {
                way.name: difference(best, way, answerable)[figure] for way in ways
            }
    return Measured(name, len(cases), int(answerable.sum()), found, gains, _cost(members, ways[-1]))


def _cost(members: Sequence[Taken], way: Taken) -> dict[str, float]:
    return {
        "tokens": float(way.tokens.mean() / max(member.tokens.mean() for member in members)),
        "time": float(way.ms.mean() / max(member.ms.mean() for member in members)),
    }


def benchmark(name: str, data: Path, questions: Path, settings: Settings) -> list[Measured]:
    """Ask what is not recorded yet, and measure: each set, and all together.

    Raises:
        UsageError: there is no such ensemble, it has to be fitted first, or a set cannot be read.
        TekioError: a member is not there.
    """
    with closing(Tekio(settings, on_message=say)) as tekio:
        told = ensemble_of(tekio, name)
        fitted = asyncio.run(fitted_of(tekio, name))
        elector = Elector(told, lambda texts: tekio.embed(texts).vectors, fitted)
        parts = {
            title: _cases(name, chosen, settings) for title, chosen in selections(data, questions).items()
        }
        parts["together"] = [case for cases in parts.values() for case in cases]
        return [measured(title, told, cases, elector) for title, cases in parts.items()]


def _cases(name: str, selection: Selection, settings: Settings) -> list[Case]:
    chosen, _ = read_selection(selection)
    place = pooled_index(chosen, settings, say=say) if selection.pool else settings.index
    with closing(Tekio(settings.model_copy(update={"index": place}), on_message=say)) as tekio:
        return asyncio.run(recorded_cases(tekio, name, askings_of(chosen.items), say=say))


def table(results: Sequence[Measured]) -> list[str]:
    """Return the figures as lines."""
    lines = []
    for each in results:
        lines.append(f"{each.name}: {each.questions} questions, {each.answerable} of them answerable")
        for way, found in each.ways.items():
            told = ", ".join(f"{figure} {_value(found[figure])}" for figure in _FIGURES if figure in found)
            lines.append(f"  {way}: {told}, {found['tokens']:.0f} tokens, {found['ms']:.0f} ms")
        for figure, gain in each.gains.items():
            for way in ("always", "as set"):
                lines.append(
                    f"  {way} less {gain['best']}, {figure}: {_difference(gain[way])} {_reached(gain[way])}"
                )
        lines.append(
            f"  as set: {each.cost['tokens']:.2f} times the tokens and {each.cost['time']:.2f} the time of the dearest"
        )
    return lines


def _reached(found: Mapping[str, Any]) -> str:
    if found["difference"] < AIM:
        return f"({AIM:+.2f} not reached)"
    return f"({AIM:+.2f} {'reached' if found['interval'][0] > 0 else 'reached, perhaps by chance'})"


def _value(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['value']:.3f} [{low:.3f}, {high:.3f}]"


def _difference(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.ensembles", description=__doc__)
    parser.add_argument("ensemble", help="name of an ensemble in the settings")
    parser.add_argument("data", type=Path, help="folder with lit_ragbench and xquad_en")
    parser.add_argument(
        "--questions", type=Path, default=Path("data/questions.jsonl"), help="the sample questions"
    )
    parser.add_argument("--index", help="of the sample corpus")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    return run_shown(
        lambda: benchmark(
            options.ensemble, options.data, options.questions, load_settings(index=options.index)
        ),
        table,
        as_json=options.json,
    )


if __name__ == "__main__":
    sys.exit(main())
