"""How a mixture of experts is made and trained: what can be chosen, and what follows from it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

from retrieval.errors import UsageError

Kind = Literal["model", "lora"]
"""`model`: experts made of the feed-forward layers; `lora`: LoRA experts over a frozen base."""
Overflow = Literal["drop", "reroute"]
"""What happens to a token whose expert is full: it passes that expert by, or goes to the next best with room."""
KINDS: tuple[Kind, ...] = ("model", "lora")
OVERFLOWS: tuple[Overflow, ...] = ("drop", "reroute")
ROUTINGS = {"top1": 1, "top2": 2}
"""Experts of a token: one, by its probability (Switch), or two, by the softmax over both (GShard)."""


@dataclass(frozen=True, slots=True)
class ExpertRecipe:
    """What can be chosen of a mixture of experts.

    Attributes:
        kind: one of `KINDS`.
        experts: in each layer.
        routing: one of `ROUTINGS`.
        parts: pieces that a feed-forward layer is cut into, of which an expert is one; as many as a token has experts
            leave it as many active parameters as the dense model has.
        rank: of a LoRA expert.
        balance: weight of the load-balancing loss against the language model's.
        router_z: weight of the router z-loss.
        capacity: how many times its even share of a batch an expert takes in training; 0 sets no bound.
        overflow: one of `OVERFLOWS`.
        gate_start: standard deviation of the gate's logits at the start, about.
        gate_dropout: share of what the gate reads that is left out in training.
        rate: learning rate at its highest; None takes the kind's own.
        steps: of the optimiser.
        rows: windows of a step.
        together: of them, those that are computed at once.
        window: tokens of a window.
        warm_up: share of the steps in which the rate rises.
        decay: of the weights.
        clip: the norm that gradients are cut to.
        held_out: share of the texts of each domain that nothing is learned from.
        seed: of the gates, the order and what is held out.
    """

    kind: Kind = "model"
    experts: int = 8
    routing: str = "top2"
    parts: int = 1
    rank: int = 8
    balance: float = 0.01
    router_z: float = 0.001
    capacity: float = 1.25
    overflow: Overflow = "drop"
    gate_start: float = 0.1
    gate_dropout: float = 0.1
    rate: float | None = None
    steps: int = 200
    rows: int = 8
    together: int = 8
    window: int = 256
    warm_up: float = 0.1
    decay: float = 0.01
    clip: float = 1.0
    held_out: float = 0.1
    seed: int = 0

    @property
    def chosen(self) -> int:
        """Experts of a token."""
        return ROUTINGS[self.routing]

    @property
    def highest_rate(self) -> float:
        """The learning rate, the kind's own unless it was given."""
        if self.rate is not None:
            return self.rate
        return 1e-4 if self.kind == "model" else 5e-4

    def check(self) -> None:
        """Check the numbers.

        Raises:
            UsageError: one is out of range, or two do not go together; they are named as their options.
        """
        for name, value, known in (
            ("--kind", self.kind, KINDS),
            ("--routing", self.routing, tuple(ROUTINGS)),
            ("--overflow", self.overflow, OVERFLOWS),
        ):
            if value not in known:
                raise UsageError(f"{name} is one of {', '.join(known)}, not '{value}'")
        for name, count, least in (
            ("--experts", self.experts, 2),
            ("--parts", self.parts, 1),
            ("--rank", self.rank, 1),
            ("--steps", self.steps, 1),
            ("--rows", self.rows, 1),
            ("--together", self.together, 1),
            ("--window", self.window, 8),
        ):
            if count < least:
                raise UsageError(f"{name} is at least {least}, not {count}")
        for name, number, low, high in (
            ("--balance", self.balance, 0.0, 100.0),
            ("--router-z", self.router_z, 0.0, 100.0),
            ("--capacity", self.capacity, 0.0, 1000.0),
            ("--gate-dropout", self.gate_dropout, 0.0, 0.9),
            ("--warm-up", self.warm_up, 0.0, 1.0),
        ):
            if not low <= number <= high:
                raise UsageError(f"{name} is from {low:g} to {high:g}, not {number:g}")
        if not 0 < self.gate_start <= 10:
            raise UsageError(
                f"--gate-start is above 0 and at most 10, not {self.gate_start:g}: without it all tokens would go to "
                "the same experts"
            )
        if not 0 < self.highest_rate <= 1:
            raise UsageError(f"--rate is above 0 and at most 1, not {self.highest_rate:g}")
        if not 0 < self.held_out <= 0.5:
            raise UsageError(f"--held-out is above 0 and at most 0.5, not {self.held_out:g}")
        self._check_division()

    def _check_division(self) -> None:
        if self.chosen >= self.experts:
            raise UsageError(
                f"--experts is more than a token is given to by {self.routing}, {self.chosen}, not {self.experts}"
            )
        if self.kind == "lora":
            if self.parts != 1:
                raise UsageError("--parts is of --kind model: LoRA experts are not cut out of a layer")
        elif self.experts % self.parts:
            raise UsageError(
                f"{self.experts} experts do not divide into layers of {self.parts} parts: give --experts "
                f"{self.parts * max(2, round(self.experts / self.parts))}"
            )
        elif self.chosen % self.parts:
            raise UsageError(
                f"by {self.routing} a token has {self.chosen} experts, which cannot hold whole layers of {self.parts} "
                f"parts: give --parts {self.chosen}, or 1"
            )
        if self.rows % self.together and self.rows > self.together:
            raise UsageError(
                f"--rows {self.rows} is no multiple of --together {self.together}, by which a step is computed"
            )

    def digest(self, texts: str, base: str) -> str:
        """Return what tells two trainings apart, so that none goes on as another.

        Args:
            texts: hash of what is learned from.
            base: fingerprint of the base.
        """
        said = json.dumps([asdict(self), texts, base], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()
