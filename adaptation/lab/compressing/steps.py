"""The steps of a compression and the orders in which they can follow each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path
from typing import Literal

Kind = Literal["prune", "distil", "quantise"]
Make = Callable[[Path, Path], Path]
"""Makes a model of the one in the first folder, in the second; returns that."""


@dataclass(frozen=True, slots=True)
class Step:
    """One way to make a model smaller.

    Attributes:
        name: tells it from others, as part of a folder's name.
        kind: of which a chain has one at most.
        make: does it.
    """

    name: str
    kind: Kind
    make: Make


Chain = tuple[Step, ...]


def chains_of(steps: Sequence[Step]) -> list[Chain]:
    """Return all chains of steps that are worth a try, the short ones first.

    A chain has one step of a kind at most. Pruning and distilling follow each other in either order: a student may
    learn from the whole model what a pruned one lost, or be pruned itself. Rounding comes last in each: whatever
    changes weights behind it makes floats of them again, and the size would be lost.
    """
    of_kind = {
        kind: [step for step in steps if step.kind == kind] for kind in ("prune", "distil", "quantise")
    }
    before: list[Chain] = [()]
    for count in (1, 2):
        for kinds in permutations(("prune", "distil"), count):
            before += [tuple(chosen) for chosen in product(*(of_kind[kind] for kind in kinds))]
    chains = [
        (*chain, *last) for chain in before for last in [(), *((step,) for step in of_kind["quantise"])]
    ]
    return sorted((chain for chain in chains if chain), key=len)


def name_of(chain: Chain) -> str:
    """Return the name of a chain, `--` between its steps; that of an empty one is `base`."""
    return "--".join(step.name for step in chain) or "base"
