"""An n-gram model with modified Kneser-Ney smoothing: what a network has to be better than, on the same tokens.

Source: Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", 1998, section 3.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
_LARGEST = 2**63


@dataclass(frozen=True, slots=True)
class _Order:
    """The n-grams of one length, as ascending numbers, with what is known of each and of what stands before its last
    token."""

    keys: Tokens
    counts: Values
    histories: Tokens
    totals: Values
    left: Values
    """Of the probability of a history, what is given to shorter n-grams."""
    discounts: Values


class KneserNey:
    """Interpolated: each order gives what it discounts to the next shorter one, down to a token at random."""

    def __init__(self, ids: Tokens, vocabulary: int, *, order: int = 4) -> None:
        """Count a stream of tokens.

        Args:
            ids: of the stream, each below `vocabulary`.
            vocabulary: how many different tokens there can be.
            order: length of the longest n-grams; shorter where so many tokens do not make numbers of 64 bits.
        """
        while vocabulary**order >= _LARGEST:
            order -= 1
        self.order, self._vocabulary = order, vocabulary
        self._orders: list[_Order] = []
        keys, counts = np.unique(self._keys(ids, order), return_counts=True)
        for length in range(order, 0, -1):
            self._orders.insert(0, self._counted(keys, counts.astype(np.float64)))
            if length > 1:
                # Of shorter ones it counts how many different tokens stand before them.
                keys, counts = np.unique(keys % vocabulary ** (length - 1), return_counts=True)

    def losses(self, ids: Tokens, places: Tokens) -> Values:
        """Return the negative log probability, in nats, of the tokens at some places of a stream, by what is before."""
        missing = self.order - 1
        padded = np.concatenate([np.ones(missing, dtype=np.int64), ids])
        probability = np.full(len(places), 1.0 / self._vocabulary)
        for length, order in enumerate(self._orders, start=1):
            key = np.zeros(len(places), dtype=np.int64)
            for back in range(length - 1, -1, -1):
                key = key * self._vocabulary + padded[places + missing - back]
            probability = self._interpolated(order, key, probability)
        losses: Values = -np.log(probability)
        return losses

    def perplexity(self, ids: Tokens, places: Tokens) -> float:
        """Return the perplexity of the tokens at some places of a stream."""
        return math.exp(float(np.mean(self.losses(ids, places))))

    def _interpolated(self, order: _Order, key: Tokens, shorter: Values) -> Values:
        count = _looked_up(order.keys, order.counts, key)
        history = key // self._vocabulary
        total = _looked_up(order.histories, order.totals, history)
        left = _looked_up(order.histories, order.left, history)
        kept = np.maximum(count - order.discounts[np.minimum(count, 3).astype(np.int64)], 0.0)
        known = total > 0
        safe = np.where(known, total, 1.0)
        return np.where(known, kept / safe + left * shorter, shorter)

    def _keys(self, ids: Tokens, length: int) -> Tokens:
        rows = max(0, len(ids) - length + 1)
        key = np.zeros(rows, dtype=np.int64)
        for place in range(length):
            key = key * self._vocabulary + ids[place : place + rows]
        return key

    def _counted(self, keys: Tokens, counts: Values) -> _Order:
        discounts = _discounts(counts)
        histories, place = np.unique(keys // self._vocabulary, return_inverse=True)
        totals = np.asarray(np.bincount(place, weights=counts), dtype=np.float64)
        given = np.bincount(place, weights=discounts[np.minimum(counts, 3).astype(np.int64)])
        return _Order(keys, counts, histories, totals, given / totals, discounts)


def _discounts(counts: Values) -> Values:
    """Return what is taken from n-grams that were seen never, once, twice, and three times or more."""
    seen = [float(np.sum(counts == times)) for times in range(1, 5)]
    once, twice, thrice, four = seen
    if min(seen) == 0:  # too few to estimate from
        return np.array([0.0, 0.5, 0.5, 0.5])
    share = once / (once + 2 * twice)
    found = (1 - 2 * share * twice / once, 2 - 3 * share * thrice / twice, 3 - 4 * share * four / thrice)
    return np.array([0.0, *(min(max(value, 0.05), times - 0.05) for times, value in enumerate(found, 1))])


def _looked_up(keys: Tokens, values: Values, wanted: Tokens) -> Values:
    """Return the values of numbers among ascending ones; 0 for those that are not there."""
    if not len(keys):
        return np.zeros(len(wanted))
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0.0)
