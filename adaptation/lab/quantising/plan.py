"""What can be chosen of a quantisation."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from adaptation.finetuning.recipe import Recipe
from adaptation.lab.distilling.teaching import Teaching
from adaptation.lab.quantising.methods import quantising_method
from kernel.chat.quantised import Form
from retrieval.errors import UsageError

LEAST_CALIBRATION = 4
_MOST_RANK = 1024


@dataclass(frozen=True, slots=True)
class QuantisePlan:
    """What can be chosen of a quantisation.

    Attributes:
        method: one of `METHODS`.
        data: folder of a training set, of `tekio adapt dataset`; None where the method needs none.
        calibration: rows that `static` looks at.
        smoothing: of `static`, how much of the spread of inputs is moved into weights, 0 to 1.
        rank: of `int4` and `qat`, of the narrow matrices that hold what 4 bits lose of a layer; 0 has none.
        steps: optimiser steps of `qat`; 0 takes the epochs.
        epochs: of `qat`, how often every row is learned.
        rate: of `qat`, learning rate at its highest.
        rows: of `qat`, rows a step, about.
        pack: of `qat`, tokens that are computed at once.
        window: tokens of a row, at most; longer ones are left out.
        mixing: of `qat`, how much the predictions of the model as it was count against the rows' own, 0 to 1.
        seed: of the order of rows.
    """

    method: str = "dynamic"
    data: Path | None = None
    calibration: int = 64
    smoothing: float = 0.5
    rank: int = 0
    steps: int = 0
    epochs: float = 1.0
    rate: float = 1e-4
    rows: int = 12
    pack: int = 1024
    window: int = 1024
    mixing: float = 0.9
    seed: int = 0

    def check(self) -> None:
        """Check the choices.

        Raises:
            UsageError: a number is out of range, or the method needs data and has none; options are named.
        """
        method = quantising_method(self.method)
        if method.needs_data and self.data is None:
            raise UsageError(
                f"the method {method.name} needs rows to look at: give a training set by --data "
                "(`tekio adapt dataset` makes one)"
            )
        if self.calibration < LEAST_CALIBRATION:
            raise UsageError(f"--calibration is at least {LEAST_CALIBRATION} rows, not {self.calibration}")
        if not 0 <= self.smoothing <= 1:
            raise UsageError(f"--smoothing is from 0 to 1, not {self.smoothing:g}")
        self.check_rank()
        self.recipe.check()
        if self.teaching is not None:
            self.teaching.check()

    def check_rank(self) -> None:
        """Check the rank alone.

        Raises:
            UsageError: it is out of range, or the method has none.
        """
        if not 0 <= self.rank <= _MOST_RANK:
            raise UsageError(f"--rank is from 0 to {_MOST_RANK:,}, not {self.rank}")
        if self.rank and quantising_method(self.method).form.precision != "int4-weights":
            raise UsageError(
                f"--rank belongs to int4 and qat: {self.method} has 8 bits, which lose next to nothing"
            )

    @property
    def teaching(self) -> Teaching | None:
        """What `qat` learns of the model as it was; None learns the rows alone.

        Source: Liu et al., LLM-QAT: Data-Free Quantization Aware Training for Large Language Models, 2023.
        """
        return Teaching(mixing=self.mixing) if self.mixing else None

    @property
    def form(self) -> Form:
        """How the weights come to be held."""
        return replace(quantising_method(self.method).form, rank=self.rank)

    @property
    def recipe(self) -> Recipe:
        """How `qat` learns: all weights, as the method `full` does."""
        return Recipe(
            method="full",
            rate=self.rate,
            epochs=self.epochs,
            steps=self.steps,
            rows=self.rows,
            pack=self.pack,
            window=self.window,
            seed=self.seed,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self) | {"data": None if self.data is None else str(self.data)}
