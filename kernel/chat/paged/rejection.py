"""Whether a sampled guess holds, so that what is written is distributed as if the larger model had written it alone.

A guess x, drawn from q, holds with the probability min(1, p(x) / q(x)); where it does not, a token is drawn from what p
has more of than q, max(0, p - q) as shares. Together that is p, whatever q is.

Source: Leviathan et al., "Fast Inference from Transformers via Speculative Decoding", ICML 2023, algorithm 1 and
appendix A.1; found at the same time by Chen et al., "Accelerating Large Language Model Decoding with Speculative
Sampling", 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float64]
"""How likely each token is, shape (vocabulary,); together 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """A token that may come next. `shares` is what it was drawn from; None where it was not drawn but looked up."""

    token: int
    shares: Shares | None = None


def holding(wanted: Shares, guessed: Shares) -> Shares:
    """Return how likely each token's guess holds, shape (vocabulary,); 1 where it cannot be guessed."""
    ratio = np.ones_like(wanted)
    np.divide(wanted, guessed, out=ratio, where=guessed > 0)
    return np.minimum(ratio, 1.0)


def left_over(wanted: Shares, guessed: Shares) -> Shares:
    """Return what a token is drawn from in place of a guess that did not hold."""
    more = np.maximum(wanted - guessed, 0.0)
    total = float(more.sum())
    return more / total if total > 0 else wanted  # the same but for rounding: no guess fails


def fitted(shares: Shares, words: int) -> Shares:
    """Return shares of so many words: what has fewer never guesses the others."""
    if len(shares) == words:
        return shares
    return np.concatenate([shares, np.zeros(words - len(shares))])


def acceptance(wanted: Shares, guessed: Shares) -> float:
    """Return how likely a guess holds before it is drawn: one less half the sum of the differences."""
    return float(np.minimum(wanted, guessed).sum())
