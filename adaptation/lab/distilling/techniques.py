"""The best way of asking, be it an ensemble or a technique with steps, learned by one adapter from recorded answers.

What several ways answered to the same questions is recorded once. The way whose answers are worth most is the teacher:
the adapter learns its answers, where they are worth enough, behind the plain prompt over the same passages, so that one
short answer does what took several models or many steps.

Source: Hsieh et al., "Distilling Step-by-Step!", ACL Findings 2023, of steps that are not asked for any more; that only
good answers are learned: Zelikman et al., "STaR", NeurIPS 2022.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adaptation.corpus import read_corpus, together
from adaptation.ensembles.recording import Asking, Journal, Recorded
from adaptation.training_sets.card import DataCard
from adaptation.training_sets.grounded import Mix
from adaptation.training_sets.making import make_set
from adaptation.training_sets.plan import Plan, Sources
from kernel.comparison import bootstrap_interval, compare
from retrieval.errors import TekioError, UsageError

if TYPE_CHECKING:
    from kernel.answer import Answer
    from kernel.app import Tekio

Say = Callable[[str], None]
_EVERY = 10
_LEAST = 4
"""Answers that are learned, at least."""


@dataclass(frozen=True, slots=True)
class Way:
    """Who answers, and by which technique."""

    variant: str
    technique: str

    @classmethod
    def read(cls, text: str) -> Way:
        """Read `VARIANT:TECHNIQUE`; without a technique it is zero-shot. Whether there are such is told when asked.

        Raises:
            UsageError: no variant is named.
        """
        variant, _, technique = text.partition(":")
        if not variant.strip():
            raise UsageError(f"--of is VARIANT:TECHNIQUE, such as base:chain_of_thought, not '{text}'")
        return cls(variant.strip(), technique.strip() or "zero_shot")

    def __str__(self) -> str:
        return f"{self.variant}:{self.technique}"


@dataclass(frozen=True, slots=True)
class Approved:
    """A recorded answer as a training set takes what somebody approved, see `feedback_rows`."""

    id: int
    question: str
    data: Any
    approved: str
    user: str = ""
    rejected: str = ""


@dataclass(frozen=True, slots=True)
class Taught:
    """The set that was made, the way that it teaches, and what each way was worth."""

    card: DataCard
    best: Way
    learned: int
    worth: dict[str, dict[str, Any]]


async def record_ways(
    tekio: Tekio, askings: Sequence[Asking], ways: Sequence[Way], path: Path, *, say: Say
) -> dict[tuple[str, str], Recorded]:
    """Ask every way every question that is not recorded yet; return all, by the question's id and the way.

    Raises:
        TekioError: the journal cannot be written.
        UsageError: there is no such variant.
    """
    about = await tekio.recorded_with(sorted({way.variant for way in ways}))
    journal = Journal(path, about)
    done = journal.read()
    missing = [(each, way) for way in ways for each in askings if (each.id, str(way)) not in done]
    if len(missing) < len(ways) * len(askings):
        say(f"{len(ways) * len(askings) - len(missing):,} answers are recorded already")
    journal.begin(done)
    for count, (each, way) in enumerate(missing, start=1):
        began = time.perf_counter()
        answer: Answer | None = None
        why = ""
        try:
            answer = await tekio.ask(
                each.question, variant=way.variant, technique=way.technique, where=each.where, cache=False
            )
        except UsageError:
            raise
        except TekioError as error:  # of this answer alone
            why = str(error)
        ms = round(1000 * (time.perf_counter() - began), 1)
        one = Recorded(id=each.id, member=str(way), answer=answer, error=why, ms=ms)
        journal.add(one)
        done[each.id, str(way)] = one
        if count % _EVERY == 0 or count == len(missing):
            say(f"{count:,} of {len(missing):,} answers, {way}")
    return {(each.id, str(way)): done[each.id, str(way)] for way in ways for each in askings}


def best_way(
    records: dict[tuple[str, str], Recorded], askings: Sequence[Asking], ways: Sequence[Way]
) -> tuple[Way, dict[str, dict[str, Any]]]:
    """Return the way whose answers are worth most, and the mean worth of each with its 95 % interval.

    An answer that was not given is worth nothing. Each is compared with the first by the same questions.
    """
    worth = {
        str(way): np.array([_worth(each, records[each.id, str(way)]) for each in askings]) for way in ways
    }
    first = worth[str(ways[0])]
    figures: dict[str, dict[str, Any]] = {}
    for way in ways:
        own = worth[str(way)]
        times = [records[each.id, str(way)].ms for each in askings]
        figures[str(way)] = {
            "worth": float(own.mean()),
            "interval": list(bootstrap_interval(own)),
            "ms": float(np.mean(times)),
            "questions": len(askings),
        }
        if way is not ways[0]:
            found = compare(first, own)
            figures[str(way)] |= {"gain": found.difference, "gain_interval": list(found.interval)}
    return max(ways, key=lambda way: figures[str(way)]["worth"]), figures


async def technique_set(
    tekio: Tekio,
    askings: Sequence[Asking],
    ways: Sequence[Way],
    out: Path,
    *,
    least: float = 0.5,
    share: float = 0.1,
    seed: int = 0,
    say: Say = lambda text: None,
) -> Taught:
    """Record what several ways answer, and make a training set of the best one's good answers.

    Args:
        tekio: answers, and shows prompts.
        askings: the questions, with what an answer is worth.
        ways: that are tried, one at least.
        out: folder of the set; the recorded answers lie beside it.
        least: worth of an answer that is learned.
        share: of the documents that are stopped by, and that are measured on.
        seed: decides what is drawn.
        say: is told how it goes.

    Raises:
        UsageError: there are no questions, too few answers are worth learning, or the folder is taken.
        TekioError: there is no index, or something cannot be written.
    """
    from retrieval.passages import PassageIndex

    if not askings:
        raise UsageError("there are no questions to ask: name a file by --questions")
    if not 0 <= least <= 1:
        raise UsageError(f"--least is 0 to 1, not {least:g}")
    _check_free(out)  # before hours of asking
    records = await record_ways(tekio, askings, ways, out.with_name(f"{out.name}.answers.jsonl"), say=say)
    best, figures = best_way(records, askings, ways)
    approved = approved_of(records, askings, best, least)
    say(f"{best} is worth most, {figures[str(best)]['worth']:.3f}; {len(approved):,} answers are learned")
    if len(approved) < _LEAST:
        raise UsageError(
            f"{len(approved)} answers of {best} are worth {least:g} or more, {_LEAST} are the least to learn from: "
            "give more --questions, or a lower --least"
        )
    PassageIndex.require(tekio.settings.place, create=False)
    with closing(PassageIndex(tekio.settings.place, None)) as index:
        sources = Sources(
            feedback=approved,
            asking=tekio,
            corpus=together(read_corpus(index, least=3)),
            index_name=str(tekio.settings.place),
        )
        plan = Plan(mix=Mix(kinds=()), share=share, seed=seed)
        card = await make_set(sources, plan, out, say=say)
    return Taught(card, best, len(approved), figures)


def approved_of(
    records: dict[tuple[str, str], Recorded], askings: Sequence[Asking], way: Way, least: float
) -> list[Approved]:
    """Return the answers of a way that are worth learning, each as if somebody had approved it."""
    found = []
    for number, each in enumerate(askings):
        answer = records[each.id, str(way)].answer
        if answer is None or not answer.answer.strip() or each.worth(answer) < least:
            continue
        found.append(
            Approved(number, answer.question, {"answer": answer.model_dump(mode="json")}, answer.answer)
        )
    return found


def _check_free(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists already: name another folder, or remove it")


def _worth(asking: Asking, record: Recorded) -> float:
    return 0.0 if record.answer is None else asking.worth(record.answer)


__all__ = ["Approved", "Taught", "Way", "approved_of", "best_way", "record_ways", "technique_set"]
