"""What a student learns of its teacher, and how."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from adaptation.finetuning.recipe import Recipe
from adaptation.lab.distilling.teaching import Teaching, Way
from retrieval.errors import UsageError

TEMPERATURES = (1.0, 2.0, 4.0)
MIXINGS = (0.3, 0.6, 0.9)
"""What a search tries, each with each."""
_PACK = 512
"""Tokens that are computed at once: two models' predictions of each are in memory."""


@dataclass(frozen=True, slots=True)
class DistilPlan:
    """How a student is taught.

    Attributes:
        data: folder of a training set, which is learned and measured on.
        way, temperature, mixing, hidden, prompts: what is learned of the teacher, see `Teaching`.
        layers: share of the teacher's layers that a student has which is made of it.
        rate: learning rate at its highest.
        epochs: how often every row is learned.
        steps: optimiser steps, in place of epochs; 0 takes the epochs.
        rows: rows a step, about.
        window: tokens of a row, at most.
        new_tokens: of an answer that the teacher writes, at most.
        search: steps of each trial by which temperature and mixing are chosen; 0 takes those that are said.
        control: train the same student without a teacher too, to see what the teacher is worth.
        keep_control: keep that one as a model of the lab as well, under the student's name with `-control` behind it.
        seed: of the order.
    """

    data: Path
    way: Way = "logits"
    temperature: float = 2.0
    mixing: float = 0.6
    hidden: float = 1.0
    prompts: float = 1.0
    layers: float = 0.5
    rate: float = 3e-4
    epochs: float = 3.0
    steps: int = 0
    rows: int = 8
    window: int = 512
    new_tokens: int = 96
    search: int = 0
    control: bool = True
    keep_control: bool = False
    seed: int = 0

    def check(self) -> None:
        """Check the numbers.

        Raises:
            UsageError: one is out of range; it is named as its option.
        """
        self.teaching.check()
        if not 0 < self.layers < 1:
            raise UsageError(
                f"--layers is above 0 and below 1, not {self.layers:g}: a student has fewer layers than its teacher"
            )
        for name, value, least in (("--new-tokens", self.new_tokens, 1), ("--search", self.search, 0)):
            if value < least:
                raise UsageError(f"{name} is at least {least}, not {value}")
        if self.keep_control and not self.control:
            raise UsageError("--keep-control goes with --control: without it there is none to keep")
        if self.search and self.way == "sequences":
            raise UsageError("--search is of temperature and mixing, which the way sequences has not")
        self.recipe().check()

    @property
    def teaching(self) -> Teaching:
        """Return what is learned of the teacher."""
        return Teaching(self.way, self.temperature, self.mixing, self.hidden, self.prompts)

    def recipe(self) -> Recipe:
        """Return how the trainer is told of it."""
        return Recipe(
            method="full",
            rate=self.rate,
            epochs=self.epochs,
            steps=self.steps,
            rows=self.rows,
            window=self.window,
            pack=_PACK,
            hold=0.0,
            seed=self.seed,
        )

    def trial(self, temperature: float, mixing: float) -> DistilPlan:
        """Return the plan of a trial of the search."""
        return replace(
            self,
            temperature=temperature,
            mixing=mixing,
            steps=self.search,
            search=0,
            control=False,
            keep_control=False,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self) | {"data": str(self.data)}
