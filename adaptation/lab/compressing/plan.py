"""What a search for a smaller variant may try."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adaptation.lab.pruning.plan import KINDS
from adaptation.lab.quantising.methods import quantising_method
from adaptation.lab.quantising.plan import QuantisePlan
from retrieval.errors import UsageError


@dataclass(frozen=True, slots=True)
class CompressPlan:
    """What a search for a smaller variant may try.

    Attributes:
        data: folder of a training set; without one weights are rounded, and nothing else is tried.
        quantise: methods of rounding, those with 4 bits with the rank of what corrects them, such as `int4:32`.
        prune: kinds of pruning with the share of each, such as ("layers", 0.5).
        students: shares of the layers that a student has.
        heal: optimiser steps that a pruned model is healed by, and `qat` learns by; 0 has neither.
        teach: optimiser steps that a student learns by.
        window: tokens of a row, at most.
        seed: of all that is drawn.
    """

    data: Path | None = None
    quantise: tuple[str, ...] = ("dynamic", "int4", "int4:32", "qat:32")
    prune: tuple[tuple[str, float], ...] = (("neurons", 0.25), ("layers", 0.25), ("layers", 0.5))
    students: tuple[float, ...] = (0.5,)
    heal: int = 60
    teach: int = 200
    window: int = 512
    seed: int = 0

    @classmethod
    def read(cls, quantise: str, prune: str, students: str, **more: Any) -> CompressPlan:
        """Read lists as people write them: `dynamic,int4:32`, `layers:0.5,neurons:0.25`, `0.5`; `none` is an empty one.

        Raises:
            UsageError: one is in no such form, names what there is not, or has a share that is none.
        """
        pruned = []
        for part in _parts(prune):
            kind, _, share = part.partition(":")
            if kind not in KINDS:
                raise UsageError(f"there is no way to prune '{kind}'; there are {', '.join(KINDS)}")
            pruned.append((kind, _share(share, "--prune")))
        methods = _parts(quantise)
        for each in methods:
            rounding_of(each).check_rank()
        return cls(
            quantise=tuple(methods),
            prune=tuple(pruned),
            students=tuple(_share(part, "--students") for part in _parts(students)),
            **more,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self) | {"data": None if self.data is None else str(self.data)}


def rounding_of(told: str) -> QuantisePlan:
    """Return how a method of `quantise` rounds: by its name, and behind a colon by the rank of what corrects it.

    Raises:
        UsageError: there is no such method, or the rank is no whole number.
    """
    name, colon, rank = told.partition(":")
    if colon and not rank.isdecimal():
        raise UsageError(f"a rank of --quantise is a whole number, such as int4:32, not '{told}'")
    return QuantisePlan(method=quantising_method(name).name, rank=int(rank or 0))


def _parts(text: str) -> list[str]:
    return [] if text.strip() == "none" else [part.strip() for part in text.split(",") if part.strip()]


def _share(text: str, option: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise UsageError(f"a share of {option} is above 0 and below 1, such as 0.5, not '{text}'")
    return share
