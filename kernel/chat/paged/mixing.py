"""One distribution of the next token out of several readers' of the same text.

Sources: the weighted mean of probabilities is how language models are interpolated (Jelinek and Mercer, 1980); the
weighted mean of their logarithms is the logarithmic opinion pool (Heskes, NIPS 1998).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

MixRule = Literal["linear", "log_linear"]
Numbers = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Mixture:
    """Who reads a text, and how what they would write next is mixed.

    Attributes:
        rule: `linear` takes the mean of probabilities, `log_linear` that of their logarithms.
        adapters: of the readers, as the engine names them; None is the base.
        weights: of each, above 0; they are made to sum up to 1.
    """

    rule: MixRule
    adapters: tuple[str | None, ...]
    weights: tuple[float, ...]


def mixed(rule: MixRule, weights: Sequence[float], logits: Sequence[Numbers]) -> Numbers:
    """Return the logits of a mixture.

    They are shifted such that the mixture of a distribution with itself has the logits of it, so that penalties have
    the same effect.

    Args:
        rule: see `Mixture`.
        weights: of each, which are made to sum up to 1.
        logits: of each, shape (vocabulary,); those of one alone are given back as they are.
    """
    if len(logits) == 1:
        return logits[0]
    shares = np.asarray(weights, np.float64) / sum(weights)
    if rule == "log_linear":
        # A constant that is added to logits changes no probability, so none is taken out first.
        mean = np.zeros(logits[0].shape)
        for share, each in zip(shares, logits, strict=True):
            mean += share * each.astype(np.float64)
        return mean
    probabilities, shift = np.zeros(logits[0].shape), 0.0
    for share, each in zip(shares, logits, strict=True):
        most = float(each.max())
        powers = np.exp(each.astype(np.float64) - most)
        whole = float(powers.sum())
        probabilities += (share / whole) * powers
        shift += share * (most + np.log(whole))
    with np.errstate(divide="ignore"):
        return np.log(probabilities) + shift
