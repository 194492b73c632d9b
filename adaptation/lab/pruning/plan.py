"""What is taken out of a model, how much of it, and how it is healed."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from adaptation.lab.distilling.teaching import Teaching
from retrieval.errors import UsageError

Kind = Literal["magnitude", "wanda", "heads", "neurons", "layers"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_PATTERN = re.compile(r"([1-9]\d?):([1-9]\d?)")


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """How a model is pruned.

    Attributes:
        data: folder of a training set, which is read to see what counts, learned from to heal, and measured on.
        kind: single weights, those that are small (`magnitude`) or that do little to what is read (`wanda`); or whole
            `heads`, inner values of the feed-forward part (`neurons`) or `layers`, so that the model is smaller.
        share: of them that is taken out.
        pattern: `n:m` takes n of each m weights in a row, as hardware for sparse products wants; its share counts.
        read: rows that are read to see what counts.
        heal: optimiser steps of a LoRA that is put into the weights at the end; 0 heals nothing.
        rank: of its matrices.
        rate: its learning rate at its highest.
        rows: rows a step, about.
        window: tokens of a row, at most.
        mixing: how much the predictions of the model as it was count against the rows' own, 0 to 1.
        seed: of the matrices and the order.
    """

    data: Path
    kind: Kind = "wanda"
    share: float = 0.5
    pattern: str = ""
    read: int = 64
    heal: int = 0
    rank: int = 16
    rate: float = 1e-3
    rows: int = 8
    window: int = 512
    mixing: float = 0.6
    seed: int = 0

    @property
    def is_structured(self) -> bool:
        """Whether whole parts are taken out."""
        return self.kind in ("heads", "neurons", "layers")

    def of_each(self) -> tuple[int, int] | None:
        """Return how many weights of each how many are taken out; None where only the share counts."""
        found = _PATTERN.fullmatch(self.pattern)
        return (int(found[1]), int(found[2])) if found else None

    def check(self) -> None:
        """Check the numbers.

        Raises:
            UsageError: one is out of range; it is named as its option.
        """
        if self.kind not in KINDS:
            raise UsageError(f"there is no way to prune '{self.kind}'; there are {', '.join(KINDS)}")
        if not 0 < self.share < 1:
            raise UsageError(
                f"--sparsity is above 0 and below 1, not {self.share:g}: 0 takes nothing out, and 1 leaves no model"
            )
        if self.pattern:
            pair = self.of_each()
            if pair is None or not pair[0] < pair[1]:
                raise UsageError(f"--pattern is n:m with n below m, such as 2:4, not '{self.pattern}'")
            if self.is_structured:
                raise UsageError("--pattern is of single weights: --method magnitude or wanda")
        for name, value, least in (
            ("--calibration", self.read, 1),
            ("--heal", self.heal, 0),
            ("--rank", self.rank, 1),
            ("--rows", self.rows, 1),
            ("--window", self.window, 64),
        ):
            if value < least:
                raise UsageError(f"{name} is at least {least}, not {value}")
        if not 0 < self.rate <= 1:
            raise UsageError(f"--rate is above 0 and at most 1, not {self.rate:g}")
        if self.teaching is not None:
            self.teaching.check()

    @property
    def teaching(self) -> Teaching | None:
        """What is learned of the model as it was while the pruned one is healed; None learns the rows alone.

        Source: Muralidharan et al., Compact Language Models via Pruning and Knowledge Distillation, NeurIPS 2024.
        """
        return Teaching(mixing=self.mixing) if self.mixing else None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self) | {"data": str(self.data)}
