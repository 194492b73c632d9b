"""Weights of a mixture that make reference answers likeliest, by what each member expects at each of their tokens.

Linear: expectation maximisation, as language models are interpolated (Jelinek and Mercer, "Interpolated estimation of
Markov source parameters from sparse data", 1980). Log-linear: the loss is convex in the weights (Heskes, "Selecting
weighting factors in logarithmic opinion pools", NIPS 1998) and is minimised with its gradient. Both hold the weights to
those of all questions by a Dirichlet prior, whose strength is counted in tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernel.chat.paged.mixing import MixRule

Floats = NDArray[np.float64]
_OTHERS = 512
"""Tokens of each member that a log-linear mixture is computed over; all others count as one."""
_NEVER = -1e4
_ROUNDS, _STILL = 500, 1e-9
_LEAST = 1e-6
UNHEARD = 0.02
"""Members with a smaller share are left out: they would cost a row of every step."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What members expect at each token of an answer.

    Attributes:
        logs: log-probabilities, shape (tokens, members, candidates): first the token that stands there, then, for a
            log-linear mixture, those that any member expects, and all others as one.
    """

    logs: NDArray[np.float32]

    @property
    def tokens(self) -> int:
        """How many there are."""
        return len(self.logs)


def expected(rule: MixRule, ids: list[int], logits: list[NDArray[np.float32]]) -> Expected:
    """Return what members expect, of their logits, shape (tokens, vocabulary) each."""
    places = np.arange(len(ids))
    logs = [_log_softmax(each.astype(np.float64)) for each in logits]
    right = np.stack([each[places, ids] for each in logs], axis=1)[:, :, None]
    if rule == "linear":
        return Expected(right.astype(np.float32))
    most = min(_OTHERS, logs[0].shape[1])
    width = 1 + most * len(logs) + 1
    found = np.full((len(ids), len(logs), width), _NEVER)
    found[:, :, :1] = right
    for place, token in enumerate(ids):
        likely = np.unique(np.concatenate([np.argpartition(-each[place], most - 1)[:most] for each in logs]))
        likely = likely[likely != token]
        for member, each in enumerate(logs):
            found[place, member, 1 : 1 + len(likely)] = each[place, likely]
            rest = 1 - np.exp(each[place, likely]).sum() - np.exp(each[place, token])
            # By Hölder's inequality the others together are no likelier in the mixture than this one.
            found[place, member, -1] = np.log(max(float(rest), 1e-12))
    return Expected(found.astype(np.float32))


def losses(rule: MixRule, weights: Floats, one: Expected) -> Floats:
    """Return the negative log-likelihood of each token under a mixture, in nats, shape (tokens,)."""
    logs = one.logs.astype(np.float64)
    if rule == "linear":
        return np.asarray(-np.log(np.maximum(np.exp(logs[:, :, 0]) @ weights, 1e-300)))
    mixed = np.einsum("tmc,m->tc", logs, weights)
    return np.asarray(_log_sum(mixed) - mixed[:, 0])


def fit_weights(rule: MixRule, rows: list[Expected], prior: Floats, strength: float) -> Floats:
    """Return the weights that make answers likeliest, with a sum of 1; those that count for little are 0.

    Args:
        rule: of the mixture.
        rows: the answers; without any, the prior is returned.
        prior: weights that are held to.
        strength: tokens that the prior counts for.
    """
    if not rows:
        return prior
    prior = np.maximum(prior, _LEAST)
    prior /= prior.sum()
    found = (
        _maximised(np.concatenate([row.logs[:, :, 0] for row in rows]).astype(np.float64), prior, strength)
        if rule == "linear"
        else _minimised(rows, prior, strength)
    )
    found = np.where(found < UNHEARD, 0.0, found)
    return np.asarray(found / found.sum())


def _maximised(logs: Floats, prior: Floats, strength: float) -> Floats:
    chances = np.exp(logs - logs.max(axis=1, keepdims=True))
    weights = prior.copy()
    for _ in range(_ROUNDS):
        shares = chances * weights
        shares /= shares.sum(axis=1, keepdims=True)
        new = (shares.sum(axis=0) + strength * prior) / (len(logs) + strength)
        if np.abs(new - weights).max() < _STILL:
            return np.asarray(new)
        weights = new
    return weights


def _minimised(rows: list[Expected], prior: Floats, strength: float) -> Floats:
    from scipy.optimize import minimize

    tokens = sum(row.tokens for row in rows)

    def loss(weights: Floats) -> tuple[float, Floats]:
        whole, slope = 0.0, np.zeros(len(weights))
        for row in rows:  # one by one, since all of them at once would take gigabytes
            logs = row.logs.astype(np.float64)
            mixed = np.einsum("tmc,m->tc", logs, weights)
            sums = _log_sum(mixed)
            whole += float((sums - mixed[:, 0]).sum())
            shares = np.exp(mixed - sums[:, None])
            slope += np.einsum("tc,tmc->m", shares, logs) - logs[:, :, 0].sum(axis=0)
        held = np.maximum(weights, _LEAST)
        whole -= strength * float((prior * np.log(held)).sum())
        slope -= strength * prior / held
        return whole / tokens, slope / tokens

    found = minimize(
        loss,
        prior,
        jac=True,
        method="SLSQP",
        bounds=[(_LEAST, 1.0)] * len(prior),
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1,
            "jac": lambda weights: np.ones(len(weights)),
        },
        options={"maxiter": 200, "ftol": 1e-9},
    )
    weights = np.clip(np.asarray(found.x, np.float64), 0, 1)
    return np.asarray(weights / weights.sum())


def _log_softmax(logits: Floats) -> Floats:
    return np.asarray(logits - _log_sum(logits)[:, None])


def _log_sum(values: Floats) -> Floats:
    most = values.max(axis=1, keepdims=True)
    return np.asarray(most[:, 0] + np.log(np.exp(values - most).sum(axis=1)))
