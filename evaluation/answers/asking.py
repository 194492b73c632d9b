"""Every question asked of every variant, one at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from evaluation.answers.items import Item
from evaluation.answers.journal import Key
from evaluation.answers.metrics import Scores, answer_scores, oracle_scores
from evaluation.answers.outcome import Outcome
from kernel.answer import Answer
from kernel.app import Tekio
from kernel.chat.adapters import find_adapter
from kernel.techniques import Technique
from kernel.variant_names import EXTRACTIVE
from retrieval.errors import UsageError


@dataclass(frozen=True, slots=True)
class Way:
    """Who answers, and how the prompt is built."""

    variant: str
    technique: str

    @property
    def name(self) -> str:
        """As it is printed. `extractive` has no prompt, so no technique."""
        return self.variant if self.variant == EXTRACTIVE else f"{self.variant}/{self.technique}"


class MoreScores(Protocol):
    """Figures of an answer for which a model is needed. Blocks."""

    def __call__(self, item: Item, answer: Answer) -> tuple[Scores, str | None]:
        """Return the figures, and the judge's grade."""


def ways_of(variants: Sequence[str], techniques: Sequence[str]) -> list[Way]:
    """Return each variant with each technique; `extractive` once.

    Raises:
        UsageError: there is no such technique.
    """
    for name in techniques:
        if name not in list(Technique):
            raise UsageError(f"there is no technique '{name}'; there are {', '.join(Technique)}")
    found: dict[str, Way] = {}
    for variant in variants:
        for technique in techniques:
            way = Way(variant, technique)
            found.setdefault(way.name, way)
    return list(found.values())


def check_variants(tekio: Tekio, ways: Sequence[Way]) -> None:
    """Check that every variant is there, before the first question is asked.

    Raises:
        UsageError: one is not.
    """
    known = tekio.variants()
    for way in ways:
        if way.variant not in known and find_adapter(way.variant, tekio.settings.adapters) is None:
            raise UsageError(f"there is no variant '{way.variant}'; there are {', '.join(known)}")


async def ask_each(
    tekio: Tekio,
    items: Sequence[Item],
    ways: Sequence[Way],
    *,
    more: MoreScores,
    oracle: bool | None,
    top_k: int | None,
    done: Mapping[Key, Outcome],
    on_outcome: Callable[[Outcome], None],
) -> list[Outcome]:
    """Ask every question in every way, those that are done aside.

    Args:
        tekio: answers.
        items: the questions.
        ways: the variants and techniques.
        more: scores an answer further.
        oracle: ask a second time over the right document alone; None does so for `extractive`, which is quick.
        top_k: passages to retrieve.
        done: outcomes that are there already.
        on_outcome: is told of each that is new, at once.

    Returns:
        All outcomes, way by way, in the order of the questions.
    """
    found = []
    for way in ways:
        with_oracle = way.variant == EXTRACTIVE if oracle is None else oracle
        for item in items:
            outcome = done.get((item.id, way.name))
            if outcome is None:
                outcome = await _ask(tekio, item, way, more, with_oracle, top_k)
                on_outcome(outcome)
            found.append(outcome)
    return found


async def _ask(
    tekio: Tekio, item: Item, way: Way, more: MoreScores, with_oracle: bool, top_k: int | None
) -> Outcome:
    async def ask(where: Sequence[str]) -> Answer:
        return await tekio.ask(
            item.question, variant=way.variant, technique=way.technique, top_k=top_k, where=where
        )

    began = time.process_time()
    try:
        answer = await ask(item.where)
        cpu_seconds = time.process_time() - began
        scores = answer_scores(item, answer)
        if with_oracle and item.answerable and item.answers and len(item.places) == 1:
            scores |= oracle_scores(item, await ask(_right_place(item)))
    except UsageError as error:  # of this question: the variant and the technique were checked
        return Outcome(id=item.id, run=way.name, error=str(error), scores=_failed(item))
    own, grade = await asyncio.to_thread(more, item, answer)
    outcome = Outcome.of(item.id, way.name, answer, cpu_seconds)
    return outcome.model_copy(update={"scores": {**scores, **own}, "grade": grade})


def _right_place(item: Item) -> list[str]:
    ((document, page),) = item.places
    return [f"document={document}", *([] if page is None else [f"page={page}"])]


def _failed(item: Item) -> Scores:
    """Return the figures of a question without an answer: everything that is expected is missing."""
    scores: Scores = {"decision_right": 0.0}
    if item.answerable and item.answers:
        scores |= dict.fromkeys(("exact_match", "f1", "short_exact_match", "short_f1", "contains"), 0.0)
    if item.answerable and item.places:
        scores |= {"found": 0.0, "citation_recall": 0.0}
    return scores
