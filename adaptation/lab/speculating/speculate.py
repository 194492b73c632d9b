"""A model and a draft in, what the draft is worth out: how often its guesses hold, and how much faster that is.

How far ahead it should guess, and in how many bits it should be held, is tried.

What is written is the model's own whatever the draft: the likeliest tokens are the same, and sampled ones are
distributed as without it (see `kernel.chat.paged.rejection`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from adaptation.lab.held_rows import plain_rows
from adaptation.lab.models import bytes_of
from adaptation.lab.speculating.expected import best_guesses, speed_up
from adaptation.lab.speculating.plan import MOST_GUESSES, SpeculatePlan
from adaptation.lab.speculating.timing import Chat, Timing, timed
from adaptation.training_sets.card import check_set
from adaptation.training_sets.rows import ChatRow
from kernel.chat.adapters import vocabulary_of
from kernel.chat.paged.architecture import Architecture, UnknownArchitectureError
from retrieval.errors import UsageError

_PARTS = ("test", "held_out", "train")


class Tried(BaseModel):
    """A way of guessing that was timed."""

    model_config = ConfigDict(frozen=True)

    draft_precision: str
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
        description="share of first guesses that hold, by the draft's precision"
    )
    cost: dict[str, float] = Field(
        description="time of a guess as a share of a step, by the draft's precision"
    )
    tried: list[Tried]
    best: Tried
    expected_guesses: int = Field(description="how many should be guessed ahead, by the best's two figures")
    plan: dict[str, Any]

    @property
    def pays(self) -> bool:
        """Whether the best is faster than the model alone."""
        return self.best.speed_up > 1


def speculate(
    model: Path, draft: Path, plan: SpeculatePlan, *, say: Callable[[str], None] = lambda text: None
) -> SpeculateReport:
    """Time a model alone, its draft alone, and both together with each number of guesses and each precision.

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
    chats = _chats(plan)
    alone = timed(model, None, chats, plan)
    say(f"{model.name} alone: {alone.tokens_a_second:.1f} tokens a second")
    holds: dict[str, float] = {}
    costs: dict[str, float] = {}
    tried: list[Tried] = []
    for precision in dict.fromkeys(plan.drafts):
        guesser = timed(draft, None, chats, plan, precision="" if precision == "auto" else precision)
        costs[precision] = alone.tokens_a_second / guesser.tokens_a_second if guesser.tokens else 1.0
        for guesses in sorted({1, *plan.guesses}):
            found = timed(model, draft, chats, plan, guessed=guesses, draft_precision=precision)
            holds.setdefault(precision, found.holding)  # of one guess, none of which is lost with another
            expected = speed_up(holds[precision], guesses, costs[precision])
            one = _tried(precision, guesses, found, alone, expected, is_sampled=plan.temperature > 0)
            tried.append(one)
            say(
                f"draft in {precision}, {guesses} ahead: {one.tokens_a_second:.1f} tokens a second, {one.speed_up:.2f} "
                f"times as fast, {one.holding:.0%} of the guesses hold"
            )
    best = max(tried, key=lambda each: each.speed_up)
    return SpeculateReport(
        model=model.name,
        draft=draft.name,
        model_bytes=bytes_of(model),
        draft_bytes=bytes_of(draft),
        tokens_a_second=alone.tokens_a_second,
        first_holds=holds,
        cost=costs,
        tried=tried,
        best=best,
        expected_guesses=best_guesses(holds[best.draft_precision], costs[best.draft_precision], MOST_GUESSES),
        plan=plan.as_dict(),
    )


def _tried(
    precision: str, guesses: int, found: Timing, alone: Timing, expected: float, *, is_sampled: bool
) -> Tried:
    speed = found.tokens_a_second
    return Tried(
        draft_precision=precision,
        guesses=guesses,
        holding=found.holding,
        tokens_a_step=found.tokens / max(1, found.steps),
        tokens_a_second=speed,
        speed_up=speed / alone.tokens_a_second if alone.tokens_a_second else 0.0,
        expected=expected,
        same=None if is_sampled else found.texts == alone.texts,
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


def _chats(plan: SpeculatePlan) -> Sequence[Chat]:
    """Return questions of the first part of a set that has some, those that nothing was learned from before others."""
    check_set(plan.data)
    for part in _PARTS:
        rows = [row for row in plain_rows(plan.data, part) if isinstance(row, ChatRow)]
        if rows:
            return [[message.model_dump() for message in row.messages[:-1]] for row in rows[: plan.prompts]]
    raise UsageError(f"{plan.data} holds no questions to answer: make it with --kinds grounded or qa")


__all__ = ["SpeculateReport", "Tried", "speculate"]
