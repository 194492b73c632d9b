"""How much of the reading model is taken out, and how what is left is healed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import UsageError


@dataclass(frozen=True, slots=True)
class ReaderPlan:
    """How layers are taken out of the reading model.

    Attributes:
        share: of its layers that is taken out.
        heal: optimiser steps in which what is left learns what the whole one reads; 0 heals nothing.
        rate: learning rate at its highest, once the layers are taught together.
        rows: questions with passages a step.
        seed: of the examples and their order.
    """

    share: float = 0.5
    heal: int = 800
    rate: float = 4e-4
    rows: int = 16
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
        if not 0 < self.rate <= 1:
            raise UsageError(f"--rate is above 0 and at most 1, not {self.rate:g}")

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def layers_to_stay(far: NDArray[np.float64], share: float) -> list[int]:
    """Return behind which layers, counted from 1, the states stand that the layers left should come to.

    All layers fall into runs, each of which its last layer is to stand for alone. Of all ways to part them that is
    taken whose worst run is least far off, and of these the one that is least far off in all. So layers of which one
    can do the work of several go first, wherever they are; often these are the lower ones.

    Args:
        far: how far from the states behind layer j those are that layer j alone makes of the states before layer
            i + 1, at [i, j], shape (layers + 1, layers + 1).
        share: of the layers that is taken out; one at least goes, and one stays.

    Raises:
        UsageError: there are too few layers.
    """
    layers = len(far) - 1
    if layers < 2:
        raise UsageError("a reading model with one layer has none that can be taken out")
    kept = layers - min(layers - 1, max(1, round(share * layers)))
    worst, _ = _parted(far, kept, max)
    return _parted(np.where(far <= worst, far, np.inf), kept, lambda one, other: one + other)[1]


def _parted(
    far: NDArray[np.float64], kept: int, joined: Callable[[float, float], float]
) -> tuple[float, list[int]]:
    """Return the ends of so many runs that are least far off, and how far, as several runs are counted together."""
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}
    for _ in range(kept):
        longer: dict[int, tuple[float, list[int]]] = {}
        for end in range(1, len(far)):
            found = [
                (joined(told, float(far[begin, end])), [*runs, end])
                for begin, (told, runs) in best.items()
                if begin < end
            ]
            if found:
                longer[end] = min(found)
        best = longer
    return best[len(far) - 1]
