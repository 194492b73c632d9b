"""How alike members fail: two that are wrong on the same questions cannot mend each other's answers.

Source of the measures: Kuncheva and Whitaker, "Measures of Diversity in Classifier Ensembles" (Machine Learning 2003).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np
from numpy.typing import NDArray

RIGHT = 0.5
"""What an answer is worth from which it counts as right here."""


@dataclass(frozen=True, slots=True)
class Alike:
    """How alike two members fail.

    Attributes:
        first: a member.
        second: another.
        phi: correlation of being right, -1 to 1; None where one is always right or always wrong.
        q: Yule's Q, -1 to 1; None where it is not defined.
        disagreement: share of questions of which exactly one is right.
        double_fault: share of questions of which neither is right.
    """

    first: str
    second: str
    phi: float | None
    q: float | None
    disagreement: float
    double_fault: float

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def alike(members: Sequence[str], worth: NDArray[np.float64]) -> list[Alike]:
    """Return how alike each two members fail; `worth` of their answers has the shape (questions, members)."""
    right = worth >= RIGHT
    return [
        _alike(members[one], members[other], right[:, one], right[:, other])
        for one, other in combinations(range(len(members)), 2)
    ]


def _alike(first: str, second: str, one: NDArray[np.bool_], other: NDArray[np.bool_]) -> Alike:
    both, neither = int((one & other).sum()), int((~one & ~other).sum())
    ones, others = int((one & ~other).sum()), int((~one & other).sum())
    total = len(one)
    spread = sqrt((both + ones) * (neither + others) * (both + others) * (neither + ones))
    crossed = both * neither + ones * others
    return Alike(
        first,
        second,
        phi=(both * neither - ones * others) / spread if spread else None,
        q=(both * neither - ones * others) / crossed if crossed else None,
        disagreement=(ones + others) / total,
        double_fault=neither / total,
    )
