"""Which token comes next: by the logits, what stands before it, and what the request allows. Without torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kernel.chat.generation import Sampling
from kernel.chat.paged.rejection import Guess, Shares, fitted, holding, left_over

Floats = NDArray[np.floating]
_FEW = 256


class Mask(Protocol):
    """Holds a text within a grammar."""

    def allowed(self, size: int) -> NDArray[np.bool_]:
        """Return which of so many tokens may come next."""

    def take(self, token: int) -> None:
        """Go on by a token."""


class Chooser:
    """Chooses the tokens of one request, in order; a seed gives the same ones again."""

    def __init__(
        self, sampling: Sampling, mask: Mask | None = None, *, sampled_guesses: bool | None = None
    ) -> None:
        """Begin a request.

        Args:
            sampling: how tokens are chosen.
            mask: what they are held within.
            sampled_guesses: whether a smaller model's guesses are drawn as the tokens are, and hold by rejection. More
                of them hold, but a seed then gives the same tokens only where as many are guessed, which depends on
                what else is under way; so None does it where there is no seed.
        """
        self._sampling = sampling
        self._mask = mask
        self._draws_guesses = sampling.temperature > 0 and (
            sampling.seed is None if sampled_guesses is None else sampled_guesses
        )
        self._random = np.random.default_rng(sampling.seed)
        self.log_probability: float | None = None if mask is None else 0.0
        """Of what was chosen within a grammar, by the logits without it, in nats."""
        self._total, self._count = 0.0, 0

    @property
    def mean_log_probability(self) -> float | None:
        """Of a token that was chosen, by the logits as given, in nats; None without tokens or numbers."""
        return self._total / self._count if self._count and math.isfinite(self._total) else None

    def choose(self, logits: Floats, before: Sequence[int], guess: Guess | None = None) -> int:
        """Return the next token.

        Args:
            logits: shape (vocabulary,); not changed.
            before: the prompt and what was written.
            guess: of this token; it holds where it is what is returned.
        """
        sampling, given = self._sampling, logits
        if sampling.repetition_penalty != 1.0:
            logits = _penalised(logits, before, sampling.repetition_penalty)
        free = logits
        if self._mask is not None:
            logits = np.where(self._mask.allowed(len(logits)), logits, -np.inf).astype(logits.dtype)
        drawn = None if guess is None else guess.shares
        token = (
            self.pick(logits) if guess is None or drawn is None else self._judge(logits, guess.token, drawn)
        )
        own = log_probability(given, token)
        self._total += own
        self._count += 1
        if self._mask is not None and self.log_probability is not None:
            self._mask.take(token)
            self.log_probability += own if free is given else log_probability(free, token)
        return token

    def pick(self, logits: Floats) -> int:
        """Return one of the tokens that are allowed; those that are not have minus infinity."""
        return int(logits.argmax()) if self._sampling.temperature <= 0 else self._sample(logits)

    def guess(self, logits: Floats) -> Guess:
        """Return a guess by a smaller model's logits, shape (vocabulary,)."""
        if not self._draws_guesses:
            return Guess(int(logits.argmax()))
        shares = self.shares(logits)
        return Guess(self._drawn(shares), shares)

    def shares(self, logits: Floats) -> Shares:
        """Return how likely each token is sampled by its logits, shape (vocabulary,)."""
        shares = self._softmax(logits)
        order = _likeliest(shares, self._sampling.top_p)
        if order is None:
            return shares
        likely = np.zeros_like(shares)
        likely[order] = shares[order]
        likely /= likely.sum()
        return likely

    def _sample(self, logits: Floats) -> int:
        """Sample from the likeliest tokens whose shares together pass `top_p`.

        Source: Holtzman et al., The Curious Case of Neural Text Degeneration, ICLR 2020.
        """
        shares = self._softmax(logits)
        order = _likeliest(shares, self._sampling.top_p)
        place = self._drawn(shares if order is None else shares[order])
        return place if order is None else int(order[place])

    def _judge(self, logits: Floats, token: int, drawn: Shares) -> int:
        """Return a guess that holds, or what is drawn in its place."""
        shares = self.shares(logits)
        drawn = fitted(drawn, len(shares))
        if self._random.random() < holding(shares, drawn)[token]:
            return token
        return self._drawn(left_over(shares, drawn))

    def _softmax(self, logits: Floats) -> Shares:
        shares: Shares = np.exp((logits - logits.max()).astype(np.float64) / self._sampling.temperature)
        shares /= shares.sum()
        return shares

    def _drawn(self, shares: Shares) -> int:
        sums = shares.cumsum()
        return min(int(np.searchsorted(sums, self._random.random() * sums[-1], side="right")), len(sums) - 1)


def log_probability(logits: Floats, token: int) -> float:
    """Return the logarithm of how likely a token is by logits of shape (vocabulary,), in nats."""
    most = float(logits.max())
    return float(logits[token]) - most - float(np.log(np.exp(logits - logits.dtype.type(most)).sum()))


def _likeliest(shares: NDArray[np.float64], together: float) -> NDArray[np.intp] | None:
    """Return the fewest tokens that together have a share, the likeliest first; None for all of them."""
    if together >= 1:
        return None
    for most in (_FEW, len(shares)):  # sorting them all takes as long as a step of a small model
        few = np.argpartition(-shares, most - 1)[:most] if most < len(shares) else np.arange(len(shares))
        order = few[np.argsort(-shares[few], kind="stable")]
        sums = shares[order].cumsum()
        if sums[-1] > together or most >= len(shares):
            break
    return order[: int(np.searchsorted(sums, together)) + 1]


def _penalised(logits: Floats, before: Sequence[int], penalty: float) -> Floats:
    """Make what stands there already less likely.

    Source: Keskar et al., CTRL, 2019.
    """
    seen = np.unique(np.asarray(before, np.int64))
    changed = logits.copy()
    found = changed[seen]
    changed[seen] = np.where(found < 0, found * penalty, found / penalty)
    return changed
