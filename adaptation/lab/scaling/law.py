"""The loss as a law of weights and tokens, fitted to small runs, with what follows from it for a budget.

Source: Hoffmann et al., "Training Compute-Optimal Large Language Models", 2022, section 3.3 and appendix D.3: the loss
is L(N, D) = E + A / N^alpha + B / D^beta, fitted by the Huber loss of its logarithm with L-BFGS from a grid of
beginnings. The budget in FLOPs is C = 6 N D. Importing this imports scipy.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp

from retrieval.errors import UsageError

FLOPS = 6
"""That a weight and token take, forward and back."""
LEAST_RUNS = 6
"""The law has five numbers."""
_DELTA = 1e-3
"""Difference of log losses from which on it counts linearly: a run that went wrong pulls less."""
_BEGINNINGS = tuple(itertools.product((2.0, 10.0), (2.0, 10.0), (-1.0, 0.5), (0.3, 0.8), (0.3, 0.8)))
"""Of log A, log B, log E, alpha and beta: a coarser grid than the paper has."""
_LIMITS = ((-10.0, 40.0), (-10.0, 40.0), (-10.0, 5.0), (0.01, 3.0), (0.01, 3.0))
_BAND = (0.025, 0.975)
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: weights, tokens that it learned from, and its held-out loss in nats."""

    parameters: int
    tokens: int
    loss: float

    @property
    def flops(self) -> float:
        """What it took, by C = 6 N D."""
        return float(FLOPS) * self.parameters * self.tokens


@dataclass(frozen=True, slots=True)
class Law:
    """L(N, D) = floor + a / N^alpha + b / D^beta, in nats."""

    a: float
    b: float
    floor: float
    alpha: float
    beta: float

    def loss(self, parameters: float, tokens: float) -> float:
        """Return the loss of a model of so many weights after so many tokens."""
        return float(self.floor + self.a * parameters**-self.alpha + self.b * tokens**-self.beta)

    def best(self, flops: float) -> tuple[float, float]:
        """Return the weights and tokens at which a budget gives the lowest loss; both by C = 6 N D."""
        both = self.alpha + self.beta
        scale = (self.alpha * self.a / (self.beta * self.b)) ** (1 / both)
        parameters = scale * (flops / FLOPS) ** (self.beta / both)
        return parameters, flops / (FLOPS * parameters)

    def as_dict(self) -> dict[str, float]:
        """Return it as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A law with those of resampled runs, which tell how sure it is.

    Attributes:
        law: of all runs.
        resampled: of runs drawn from them with replacement.
        runs: that it was fitted to.
    """

    law: Law
    resampled: tuple[Law, ...]
    runs: tuple[Run, ...]

    def loss(self, parameters: float, tokens: float) -> tuple[float, float, float]:
        """Return a predicted loss and its 95 % band."""
        low, high = self._band([law.loss(parameters, tokens) for law in self.resampled])
        return self.law.loss(parameters, tokens), low, high

    def best(self, flops: float) -> dict[str, Any]:
        """Return the weights and tokens that a budget is best spent on, with their 95 % bands and the loss."""
        parameters, tokens = self.law.best(flops)
        drawn = [law.best(flops) for law in self.resampled]
        return {
            "flops": flops,
            "parameters": parameters,
            "parameters_band": self._band([each[0] for each in drawn]),
            "tokens": tokens,
            "tokens_band": self._band([each[1] for each in drawn]),
            "tokens_a_weight": tokens / parameters,
            "loss": self.law.loss(parameters, tokens),
        }

    def bands(self) -> dict[str, tuple[float, float]]:
        """Return the 95 % bands of the law's numbers."""
        held = [law.as_dict() for law in self.resampled]
        return {name: self._band([each[name] for each in held]) for name in self.law.as_dict()}

    def _band(self, values: Sequence[float]) -> tuple[float, float]:
        low, high = np.quantile(values, _BAND)
        return float(low), float(high)


def fit(runs: Sequence[Run], *, resamples: int = 200, seed: int = 0) -> Fitted:
    """Fit the law to runs, and to runs drawn from them.

    Args:
        runs: of at least two numbers of weights and two of tokens.
        resamples: how often it is fitted to drawn runs.
        seed: of the drawing.

    Raises:
        UsageError: there are too few runs, or too few different ones.
    """
    check_enough([(run.parameters, run.tokens) for run in runs])
    sizes = np.array([run.parameters for run in runs], dtype=np.float64)
    tokens = np.array([run.tokens for run in runs], dtype=np.float64)
    losses = np.array([run.loss for run in runs], dtype=np.float64)
    best = min(
        (_minimised(np.array(beginning), sizes, tokens, losses) for beginning in _BEGINNINGS),
        key=lambda found: found[1],
    )[0]
    draw = np.random.default_rng(seed)
    drawn: list[Law] = []
    while len(drawn) < resamples:
        rows = draw.integers(0, len(runs), len(runs))
        if len(np.unique(sizes[rows])) < 2 or len(np.unique(tokens[rows])) < 2:
            continue  # nothing could be told apart by it
        # From the law of all runs: the grid of beginnings for each would take minutes.
        drawn.append(_law(_minimised(best, sizes[rows], tokens[rows], losses[rows])[0]))
    return Fitted(_law(best), tuple(drawn), tuple(runs))


def check_enough(runs: Sequence[tuple[int, int]]) -> None:
    """Check that the law can be fitted to runs of sizes and tokens.

    Raises:
        UsageError: there are too few runs, or too few different ones.
    """
    sizes, tokens = {size for size, _ in runs}, {count for _, count in runs}
    if len(runs) < LEAST_RUNS or len(sizes) < 2 or len(tokens) < 2:
        raise UsageError(
            f"{len(runs)} runs of {len(sizes)} sizes and {len(tokens)} numbers of tokens are too few to fit the law "
            f"to: at least {LEAST_RUNS} runs of two sizes and two numbers of tokens are needed"
        )


def _minimised(beginning: Values, sizes: Values, tokens: Values, losses: Values) -> tuple[Values, float]:
    log_sizes, log_tokens, log_losses = np.log(sizes), np.log(tokens), np.log(losses)

    def objective(point: Values) -> tuple[float, Values]:
        log_a, log_b, log_e, alpha, beta = point
        terms = np.stack(
            [log_a - alpha * log_sizes, log_b - beta * log_tokens, np.full_like(log_sizes, log_e)]
        )
        predicted = logsumexp(terms, axis=0)
        difference = predicted - log_losses
        near = np.abs(difference) <= _DELTA
        value = np.where(near, 0.5 * difference**2, _DELTA * (np.abs(difference) - 0.5 * _DELTA)).sum()
        slope = np.where(near, difference, _DELTA * np.sign(difference))
        shares = np.exp(terms - predicted)
        gradient = np.array(
            [
                (slope * shares[0]).sum(),
                (slope * shares[1]).sum(),
                (slope * shares[2]).sum(),
                -(slope * shares[0] * log_sizes).sum(),
                -(slope * shares[1] * log_tokens).sum(),
            ]
        )
        # Scaled up, since the optimiser stops at small numbers, which those of a Huber loss of 0.001 are.
        return float(value) / _DELTA**2, gradient / _DELTA**2

    found = minimize(
        objective, beginning, jac=True, method="L-BFGS-B", bounds=_LIMITS, options={"maxiter": 300}
    )
    return np.asarray(found.x, dtype=np.float64), float(found.fun)


def _law(point: Values) -> Law:
    log_a, log_b, log_e, alpha, beta = (float(value) for value in point)
    return Law(math.exp(log_a), math.exp(log_b), math.exp(log_e), alpha, beta)
