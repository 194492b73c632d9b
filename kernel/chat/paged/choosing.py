"""Which token comes next: by the logits, what stands before it, and what the request allows. Without torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kernel.chat.generation import Sampling

Floats = NDArray[np.float32]


class Mask(Protocol):
    """Holds a text within a grammar."""

    def allowed(self, size: int) -> NDArray[np.bool_]:
        """Return which of so many tokens may come next."""

    def take(self, token: int) -> None:
        """Go on by a token."""


class Chooser:
    """Chooses the tokens of one request, in order; a seed gives the same ones again."""

    def __init__(self, sampling: Sampling, mask: Mask | None = None) -> None:
        self._sampling = sampling
        self._mask = mask
        self._random = np.random.default_rng(sampling.seed)

    def choose(self, logits: Floats, before: Sequence[int]) -> int:
        """Return the next token.

        Args:
            logits: shape (vocabulary,); not changed.
            before: the prompt and what was written.
        """
        sampling = self._sampling
        if sampling.repetition_penalty != 1.0:
            logits = _penalised(logits, before, sampling.repetition_penalty)
        if self._mask is not None:
            logits = np.where(self._mask.allowed(len(logits)), logits, -np.inf).astype(np.float32)
        token = int(logits.argmax()) if sampling.temperature <= 0 else self._sample(logits)
        if self._mask is not None:
            self._mask.take(token)
        return token

    def _sample(self, logits: Floats) -> int:
        """Sample from the likeliest tokens whose shares together pass `top_p`.

        Source: Holtzman et al., The Curious Case of Neural Text Degeneration, ICLR 2020.
        """
        scaled = (logits - logits.max()).astype(np.float64) / self._sampling.temperature
        shares = np.exp(scaled)
        shares /= shares.sum()
        order = np.argsort(-shares, kind="stable")
        if self._sampling.top_p < 1:
            order = order[: int(np.searchsorted(shares[order].cumsum(), self._sampling.top_p)) + 1]
        likely = shares[order] / shares[order].sum()
        place = int(np.searchsorted(likely.cumsum(), self._random.random(), side="right"))
        return int(order[min(place, len(order) - 1)])


def _penalised(logits: Floats, before: Sequence[int], penalty: float) -> Floats:
    """Make what stands there already less likely.

    Source: Keskar et al., CTRL, 2019.
    """
    seen = np.unique(np.asarray(before, np.int64))
    changed = logits.copy()
    found = changed[seen]
    changed[seen] = np.where(found < 0, found * penalty, found / penalty)
    return changed
