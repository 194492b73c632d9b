"""How much of the reading model is taken out, and how what is left is healed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from retrieval.errors import UsageError

MOST_MADE_UP = 100


@dataclass(frozen=True, slots=True)
class ReaderPlan:
    """How layers are taken out of the reading model.

    Attributes:
        share: of its layers that is taken out.
        heal: optimiser steps in which what is left learns what the whole one reads; 0 heals nothing.
        rate: learning rate at its highest, once the layers are taught together.
        rows: questions with passages a step.
        made_up: questions that are made up for each that is learned from; 0 makes up none.
        seed: of the examples and their order.
    """

    share: float = 0.5
    heal: int = 800
    rate: float = 4e-4
    rows: int = 16
    made_up: float = 1.0
    seed: int = 0

    def check(self) -> None:
        """Check the numbers.

        Raises:
            UsageError: one is out of range; it is named as its option.
        """
        if not 0 < self.share < 1:
            raise UsageError(
                f"--sparsity is above 0 and below 1, not {self.share:g}: 0 takes nothing out, and 1 leaves no model"
            )
        for name, value, least in (("--heal", self.heal, 0), ("--rows", self.rows, 1)):
            if value < least:
                raise UsageError(f"{name} is at least {least}, not {value}")
        if not 0 <= self.made_up <= MOST_MADE_UP:
            raise UsageError(f"--made-up is from 0 to {MOST_MADE_UP}, not {self.made_up:g}")
        if not 0 < self.rate <= 1:
            raise UsageError(f"--rate is above 0 and at most 1, not {self.rate:g}")

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def layers_reached(layers: int, share: float) -> list[int]:
    """Return behind which layers of so many, counted from 1, the states stand that the layers left should come to.

    They are evenly apart and end with the last, so that each layer that stays does the work of as many.

    Raises:
        UsageError: there are too few layers.
    """
    if layers < 2:
        raise UsageError("a reading model with one layer has none that can be taken out")
    kept = layers - min(layers - 1, max(1, round(share * layers)))
    return [round((place + 1) * layers / kept) for place in range(kept)]
