"""A model and a draft in, what the draft is worth out: how often its guesses hold, and how much faster that is.

How far ahead it should guess, and in how many bits it should be held, is tried.

What is written is the model's own whatever the draft: the likeliest tokens are the same, and sampled ones are
distributed as without it (see `kernel.chat.paged.rejection`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from adaptation.lab.held_rows import plain_rows
from adaptation.lab.models import bytes_of
from adaptation.lab.speculating.expected import best_guesses, speed_up
from adaptation.lab.speculating.plan import MOST_GUESSES, SpeculatePlan
from adaptation.lab.speculating.timing import Chat, Timing, Writer, step_seconds, timed
from adaptation.training_sets.card import check_set
from adaptation.training_sets.rows import ChatRow
from kernel.chat.adapters import vocabulary_of
from kernel.chat.paged.architecture import Architecture, UnknownArchitectureError
from retrieval.errors import UsageError

TEXT = "text"
"""What stands in place of a draft's precision where guesses are looked up in the text."""
_PARTS = ("test", "held_out", "train")


class Tried(BaseModel):
    """A way of guessing that was timed."""

    model_config = ConfigDict(frozen=True)

    draft_precision: str = Field(
        description=f"of the draft's weights; `{TEXT}`: guesses of the text, without a draft"
    )
    draft_words: int = Field(0, description="of its commonest words, that it guessed among; 0: of all")
    guesses: int
    holding: float = Field(description="share of guesses that held")
    tokens_a_step: float = Field(description="that a step of the model gave")
    tokens_a_second: float
    speed_up: float = Field(description="times as fast as the model alone")
    expected: float = Field(description="speed-up by how often a first guess holds, and its cost")
    same: bool | None = Field(description="texts as without guesses; None where they are sampled")


class SpeculateReport(BaseModel):
    """What a draft is worth to a model."""

    model_config = ConfigDict(frozen=True)

    model: str
    draft: str
    model_bytes: int
    draft_bytes: int
    tokens_a_second: float = Field(description="of the model alone")
    first_holds: dict[str, float] = Field(
        description="share of first guesses that hold, by the draft's precision and words; of the text too"
    )
    cost: dict[str, float] = Field(
        description="time of a guess as a share of a step, by the draft's precision and words; of the text too"
    )
    tried: list[Tried]
    best: Tried = Field(description="with the draft")
    expected_guesses: int = Field(description="how many should be guessed ahead, by the best's two figures")
    plan: dict[str, Any]

    @property
    def pays(self) -> bool:
        """Whether the best way with the draft is faster than the model alone, and than guesses of the text."""
        return self.best.speed_up > max(
            1.0, *(each.speed_up for each in self.tried if each.draft_precision == TEXT)
        )


def speculate(
    model: Path, draft: Path, plan: SpeculatePlan, *, say: Callable[[str], None] = lambda text: None
) -> SpeculateReport:
    """Time a model alone and with guesses in turns: of the text, and of a draft in each number and precision.

    Args:
        model: folder of the model that is answered by.
        draft: folder of a smaller model of the same words.
        plan: what is tried.
        say: is told of each figure.

    Raises:
        UsageError: a number is out of range, the words differ, the engine does not compute one of them, or the set
            holds no questions.
        TekioError: a model cannot be loaded.
    """
    plan.check()
    _check(model, draft)
    chats = questions_of(plan)
    with closing(Writer(model, None, plan)) as alone:
        return _reported(model, draft, plan, chats, alone, say)


def _reported(
    model: Path,
    draft: Path,
    plan: SpeculatePlan,
    chats: Sequence[Chat],
    alone: Writer,
    say: Callable[[str], None],
) -> SpeculateReport:
    step = step_seconds(model, plan)
    numbers = sorted({1, *plan.guesses})
    tried: list[Tried] = []
    holds: dict[str, float] = {}
    costs: dict[str, float] = {TEXT: 0.0}
    speeds: list[Timing] = []

    def tell(name: str, guesses: int, writer: Writer, precision: str, words: int) -> None:
        with closing(writer):
            found = timed(alone, writer, chats)
        speeds.append(found)
        holds.setdefault(name, found.holding)  # of one guess, none of which is lost with another
        tried.append(
            _tried(precision, words, guesses, found, speed_up(holds[name], guesses, costs[name]), plan)
        )
        say(f"{'from the text alone' if name == TEXT else f'draft in {name}'}, {_told(tried[-1])}")

    for guesses in numbers:
        tell(TEXT, guesses, Writer(model, None, plan, guessed=guesses), TEXT, 0)
    for precision, words in product(dict.fromkeys(plan.drafts), dict.fromkeys(plan.words)):
        name, held = named(precision, words), "" if precision == "auto" else precision
        costs[name] = step_seconds(draft, plan, precision=held, words=words) / step
        for guesses in numbers:
            writer = Writer(model, draft, plan, guessed=guesses, draft_precision=precision, draft_words=words)
            tell(name, guesses, writer, precision, words)
    best = max((each for each in tried if each.draft_precision != TEXT), key=lambda each: each.speed_up)
    name = named(best.draft_precision, best.draft_words)
    return SpeculateReport(
        model=model.name,
        draft=draft.name,
        model_bytes=bytes_of(model),
        draft_bytes=bytes_of(draft),
        tokens_a_second=sum(each.alone_tokens for each in speeds)
        / (sum(each.alone_seconds for each in speeds) or math.inf),
        first_holds=holds,
        cost=costs,
        tried=tried,
        best=best,
        expected_guesses=best_guesses(holds[name], costs[name], MOST_GUESSES),
        plan=plan.as_dict(),
    )


def named(precision: str, words: int) -> str:
    """Return how a draft is called in a report: by its precision, and its words where they are not all."""
    return f"{precision}, {words:,} words" if words else precision


def _told(one: Tried) -> str:
    return (
        f"{one.guesses} ahead: {one.tokens_a_second:.1f} tokens a second, {one.speed_up:.2f} times as fast, "
        f"{one.holding:.0%} of the guesses hold"
    )


def _tried(
    precision: str, words: int, guesses: int, found: Timing, expected: float, plan: SpeculatePlan
) -> Tried:
    speed, alone = found.tokens_a_second, found.alone_tokens_a_second
    return Tried(
        draft_precision=precision,
        draft_words=words,
        guesses=guesses,
        holding=found.holding,
        tokens_a_step=found.tokens / max(1, found.steps),
        tokens_a_second=speed,
        speed_up=speed / alone if alone else 0.0,
        expected=expected,
        same=None if plan.temperature > 0 else found.texts == found.alone_texts,
    )


def _check(model: Path, draft: Path) -> None:
    for folder in (model, draft):
        if not (folder / "config.json").is_file():
            raise UsageError(f"there is no model in {folder}: name a folder with a config.json")
        try:
            Architecture.read(folder)
        except UnknownArchitectureError as error:
            raise UsageError(
                f"{folder.name} cannot be guessed for or guess: {error}, one token after the other"
            ) from error
    if vocabulary_of(model) != vocabulary_of(draft):
        raise UsageError(
            f"the draft {draft.name} has other words than {model.name}, so that its guesses mean something else: "
            "distil one of the model's own layers (`tekio adapt distil`)"
        )


def questions_of(plan: SpeculatePlan) -> Sequence[Chat]:
    """Return questions of the first part of a set that has some, those that nothing was learned from before others.

    Of the part those whose answers are the longest, unless the plan takes them as they come: a draft reads the prompt
    too, which short answers do not pay for.
    """
    check_set(plan.data)
    for part in _PARTS:
        rows = [row for row in plain_rows(plan.data, part) if isinstance(row, ChatRow)]
        if rows:
            if plan.longest:
                rows.sort(key=lambda row: -len(row.messages[-1].content))
            return [[message.model_dump() for message in row.messages[:-1]] for row in rows[: plan.prompts]]
    raise UsageError(f"{plan.data} holds no questions to answer: make it with --kinds grounded or qa")


__all__ = ["SpeculateReport", "Tried", "questions_of", "speculate"]
