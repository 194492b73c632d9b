"""Lines of one budget: the loss over the size of the model, and where it is lowest.

Source: Hoffmann et al., 2022, section 3.2 (approach 2): at one budget the loss is a parabola of the logarithm of
the size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from adaptation.lab.scaling.law import FLOPS, Fitted, Run

_POINTS = 25
_SPREAD = 8.0
"""How far a line goes to both sides of its lowest point, as a factor of the size."""
_ALIKE = 1.15
"""Runs whose budgets differ by less than this factor are of one budget."""
_LEAST = 3


@dataclass(frozen=True, slots=True)
class Line:
    """The predicted losses of one budget over sizes, and the size at which the measured runs of it are best.

    Attributes:
        flops: the budget.
        points: size and loss, by the law.
        measured: size and loss of runs of this budget.
        lowest: the size at the bottom of a parabola through them; None without three, or without a bottom.
    """

    flops: float
    points: tuple[tuple[float, float], ...]
    measured: tuple[tuple[int, float], ...]
    lowest: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def lines(fitted: Fitted) -> list[Line]:
    """Return a line for each budget that several runs have, ascending; for the least and the most where none has."""
    groups = [group for group in _of_one_budget(fitted.runs) if len(group) > 1]
    if not groups:
        ordered = sorted(fitted.runs, key=lambda run: run.flops)
        groups = [[ordered[0]], [ordered[-1]]]
    return [_line(fitted, group) for group in groups]


def _of_one_budget(runs: Sequence[Run]) -> list[list[Run]]:
    groups: list[list[Run]] = []
    for run in sorted(runs, key=lambda each: each.flops):
        if groups and run.flops <= _ALIKE * groups[-1][0].flops:
            groups[-1].append(run)
        else:
            groups.append([run])
    return groups


def _line(fitted: Fitted, runs: Sequence[Run]) -> Line:
    flops = math.exp(sum(math.log(run.flops) for run in runs) / len(runs))
    middle, _ = fitted.law.best(flops)
    sizes = np.geomspace(middle / _SPREAD, middle * _SPREAD, _POINTS)
    points = tuple(
        (float(size), fitted.law.loss(float(size), flops / (FLOPS * float(size)))) for size in sizes
    )
    measured = tuple(sorted((run.parameters, run.loss) for run in runs))
    return Line(flops, points, measured, _bottom(measured))


def _bottom(measured: Sequence[tuple[int, float]]) -> float | None:
    if len({size for size, _ in measured}) < _LEAST:
        return None
    logs = np.log([size for size, _ in measured])
    curve, slope, _ = np.polyfit(logs, [loss for _, loss in measured], 2)
    return float(np.exp(-slope / (2 * curve))) if curve > 0 else None
