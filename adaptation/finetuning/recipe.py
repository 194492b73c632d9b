"""How a model is trained: what can be chosen, and what follows from it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from retrieval.errors import UsageError

_LEAST_PACK = 64


@dataclass(frozen=True, slots=True)
class Recipe:
    """What can be chosen of a training.

    Attributes:
        method: one of `METHODS`.
        rank: of the added matrices.
        layers: share of the layers that are learned in, the uppermost.
        rate: learning rate at its highest; None takes the method's own.
        epochs: how often every row is learned.
        steps: optimiser steps, in place of epochs; 0 takes the epochs.
        rows: rows a step, about.
        pack: tokens of a pack, at most; 0 takes what the free memory allows.
        window: tokens of a row, at most; longer ones are left out.
        warm_up: share of the steps in which the rate rises.
        decay: of the weights.
        clip: the norm that gradients are cut to.
        patience: evaluations without a gain after which it stops.
        hold: how much it counts what changes in the base's predictions of plain text, against the loss of answers.
        virtual_tokens: of the methods `prefix` and `prompt`.
        start: name of an adapter that is learned further, in place of a new one.
        reward: name of a reward model, of the method `rlhf`.
        drafts: answers that `rlhf` writes to a prompt, to be held against each other.
        new_tokens: of such an answer, at most.
        checkpointing: compute activations again in place of keeping them, for less memory.
        seed: of the matrices and the order.
    """

    method: str = "lora"
    rank: int = 16
    layers: float = 1.0
    rate: float | None = None
    epochs: float = 2.0
    steps: int = 0
    rows: int = 12
    pack: int = 0
    window: int = 2048
    warm_up: float = 0.06
    decay: float = 0.01
    clip: float = 1.0
    patience: int = 3
    hold: float = 2.0
    virtual_tokens: int = 16
    start: str = ""
    reward: str = ""
    drafts: int = 4
    new_tokens: int = 64
    checkpointing: bool = False
    seed: int = 0

    def check(self) -> None:
        """Check the numbers.

        Raises:
            UsageError: one is out of range; it is named as its option.
        """
        for name, value, least in (
            ("--rank", self.rank, 1),
            ("--rows", self.rows, 1),
            ("--window", self.window, 64),
            ("--steps", self.steps, 0),
            ("--virtual-tokens", self.virtual_tokens, 1),
            ("--drafts", self.drafts, 2),
            ("--new-tokens", self.new_tokens, 1),
        ):
            if value < least:
                raise UsageError(f"{name} is at least {least}, not {value}")
        if self.pack and self.pack < _LEAST_PACK:
            raise UsageError(
                f"--pack is at least {_LEAST_PACK}, or 0 for what memory allows, not {self.pack}"
            )
        if not self.epochs > 0:
            raise UsageError(f"--epochs is above 0, not {self.epochs:g}")
        if self.rate is not None and not 0 < self.rate <= 1:
            raise UsageError(f"--rate is above 0 and at most 1, not {self.rate:g}")
        if not 0 <= self.hold < 1e6:
            raise UsageError(f"--hold is 0 or more, not {self.hold:g}")
        if not 0 < self.layers <= 1:
            raise UsageError(f"--layers is above 0 and at most 1, not {self.layers:g}")

    def digest(self, data_hash: str, base: str) -> str:
        """Return what tells two trainings apart, so that none goes on as another."""
        said = json.dumps([asdict(self), data_hash, base], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()
