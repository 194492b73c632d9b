"""What a model makes of held-out windows: its loss, and whether it is as sure as it is right.

Source of the calibration error: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. Importing this
imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from adaptation.lab.scratch.collating import Collator
from adaptation.lab.scratch.recipe import Kind
from adaptation.lab.scratch.windows import Window

_BINS = 15
_OVERCONFIDENT = 0.05
"""By how much the mean probability of the likeliest token is above the share that is right, before it is told."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How sure a model is against how often it is right.

    Attributes:
        error: the mean difference of both over bins of like confidence, weighted by their tokens.
        confidence: mean probability of the likeliest token.
        accuracy: share of tokens that were the likeliest.
        bins: for each bin its tokens, confidence and accuracy.
    """

    error: float
    confidence: float
    accuracy: float
    bins: tuple[tuple[int, float, float], ...]

    def signs(self) -> list[str]:
        """Return, in words, that it is too sure of itself; nothing where it is not."""
        over = self.confidence - self.accuracy
        if over <= _OVERCONFIDENT:
            return []
        return [
            f"it is over-confident: it gives its likeliest token {self.confidence:.0%} and is right in "
            f"{self.accuracy:.0%} (calibration error {self.error:.3f}): label smoothing, dropout or fewer epochs help"
        ]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The loss of held-out windows, in nats a scored token, and the calibration on them."""

    loss: float
    tokens: int
    calibration: Calibration

    @property
    def perplexity(self) -> float:
        """The exponential of the loss."""
        return math.exp(min(self.loss, 700.0))


def measure(
    model: Any, windows: Sequence[Window], kind: Kind, collator: Collator, *, batch: int, seed: int = 0
) -> HeldOut:
    """Measure a model on windows.

    Args:
        model: is left as it was, learning or not.
        windows: at least one.
        kind: its architecture.
        collator: of that architecture.
        batch: windows at once.
        seed: of the masks of an encoder.
    """
    device = model.device
    was_learning = model.training
    model.eval()
    total = 0.0
    counts, sure, right = (torch.zeros(_BINS, dtype=torch.float64) for _ in range(3))
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        for start in range(0, len(windows), batch):
            made = {
                name: value.to(device) for name, value in collator(windows[start : start + batch]).items()
            }
            labels = made.pop("labels")
            logits = model(**made).logits.float()
            if kind == "decoder":
                logits, labels = logits[:, :-1], labels[:, 1:]
            learned = labels != -100
            logits, labels = logits[learned], labels[learned]
            total += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
            confidence, likeliest = (each.cpu() for each in logits.softmax(-1).max(-1))
            place = (confidence * _BINS).long().clamp(max=_BINS - 1)
            counts += torch.bincount(place, minlength=_BINS)
            sure += torch.bincount(place, weights=confidence.double(), minlength=_BINS)
            hits = (likeliest == labels.cpu()).double()
            right += torch.bincount(place, weights=hits, minlength=_BINS)
    model.train(was_learning)
    tokens = int(counts.sum())
    return HeldOut(total / max(1, tokens), tokens, _calibration(counts, sure, right))


def _calibration(counts: torch.Tensor, sure: torch.Tensor, right: torch.Tensor) -> Calibration:
    tokens = max(1.0, float(counts.sum()))
    bins = tuple(
        (int(count), float(confidence / max(count, 1)), float(hits / max(count, 1)))
        for count, confidence, hits in zip(counts, sure, right, strict=True)
    )
    return Calibration(
        error=float((sure - right).abs().sum()) / tokens,
        confidence=float(sure.sum()) / tokens,
        accuracy=float(right.sum()) / tokens,
        bins=bins,
    )
