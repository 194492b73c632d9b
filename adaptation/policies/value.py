"""What a policy would be worth, told from answers that were given otherwise: before it may serve.

Doubly robust: a model of rewards is corrected by what was seen, weighed by how likely it was to be seen; it is right
where either is (Dudík, Langford and Li, "Doubly Robust Policy Evaluation and Learning", ICML 2011). The model is fitted
on other questions than those that it is used for. Beside it stand inverse propensity scoring and the same with weights
that add to 1 (Swaminathan and Joachims, "The Self-Normalized Estimator for Counterfactual Learning", NeurIPS 2015).
Where all actions were tried on a question, as in an evaluation, all are exact.

Intervals are of 95 % by bootstrap over groups, those of differences paired.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptation.policies.rows import Rows
from retrieval.errors import UsageError

Floats = NDArray[np.float64]
_RESAMPLES = 2000
_LEAST = 10
"""Rewards of an action below which its model is their mean."""
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Value:
    """What a policy is worth, on questions that it was not trained on.

    Attributes:
        questions: how many.
        groups: how many groups they are of.
        doubly_robust, ips, snips: the policy's mean reward, in three ways.
        default: the safe default's, doubly robust.
        gain: the policy's less the default's.
        fixed: what each action would be worth if it always were taken, doubly robust; None for one never seen.
        over_best_fixed: the policy's less that of the best of them, chosen on these very questions.
        effective: how many questions the weights amount to.
    """

    questions: int
    groups: int
    doubly_robust: Estimate
    ips: Estimate
    snips: Estimate
    default: Estimate
    gain: Estimate
    fixed: list[float | None]
    over_best_fixed: Estimate
    effective: float

    @property
    def beats_default(self) -> bool:
        """Whether it is better than the safe default beyond chance: it may serve."""
        return self.gain.low > 0

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**asdict(self), "beats_default": self.beats_default}


def value_of(rows: Rows, likely: Floats, *, seed: int = 0) -> Value:
    """Return what a policy is worth.

    Args:
        rows: that it was not trained on.
        likely: how likely it takes each action, shape (n, actions).
        seed: of the bootstrap, and of the folds that the model of rewards is fitted in.

    Raises:
        UsageError: there are no rows.
    """
    if not len(rows):
        raise UsageError("no question is held out to value the policy by: record more, of more documents")
    count = rows.seen.shape[1]
    model = reward_model(rows, seed=seed)
    each = model + np.where(rows.seen, (rows.rewards - model) / rows.chances, 0)  # doubly robust, each action
    weights = np.where(rows.seen, likely / rows.chances, 0)
    per_row = {
        "dr": (likely * each).sum(1),
        "ips": (weights * rows.rewards).sum(1),
        "weight": weights.sum(1),
    }
    tried = [bool(rows.seen[:, action].any()) for action in range(count)]
    names, places = np.unique(np.array(rows.groups), return_inverse=True)
    sizes = np.bincount(places)

    def sums(values: Floats) -> Floats:
        return np.asarray(np.bincount(places, weights=values), np.float64)

    grouped = {name: sums(values) for name, values in per_row.items()}
    fixed = np.stack([sums(each[:, action]) for action in range(count)], axis=1)
    draws = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=_RESAMPLES
    )
    draws = np.vstack([np.ones((1, len(names)), int), draws])  # the first is what was seen itself
    total = draws @ sizes
    policy, ips = draws @ grouped["dr"] / total, draws @ grouped["ips"] / total
    weight = draws @ grouped["weight"]
    snips = np.divide(draws @ grouped["ips"], weight, out=np.zeros_like(policy), where=weight > 0)
    of_fixed = draws @ fixed / total[:, None]
    best = int(np.where(tried, of_fixed[0], -np.inf).argmax())
    flat = per_row["weight"]
    return Value(
        len(rows),
        len(names),
        _estimate(policy),
        _estimate(ips),
        _estimate(snips),
        _estimate(of_fixed[:, 0]),
        _estimate(policy - of_fixed[:, 0]),
        [float(of_fixed[0, action]) if tried[action] else None for action in range(count)],
        _estimate(policy - of_fixed[:, best]),
        float(flat.sum() ** 2 / (flat**2).sum()) if flat.any() else 0.0,
    )


def reward_model(rows: Rows, *, seed: int) -> Floats:
    """Return what a ridge regression of each action expects of each question, fitted on other groups' questions."""
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(rows.features)
    names, places = np.unique(np.array(rows.groups), return_inverse=True)
    folds = np.random.default_rng(seed).permutation(len(names))[places] % min(_FOLDS, max(2, len(names)))
    overall = float(rows.rewards[rows.seen].mean()) if rows.seen.any() else 0.0
    found = np.full(rows.rewards.shape, overall)
    for action in range(rows.rewards.shape[1]):
        for fold in np.unique(folds):
            fitted, wanted = rows.seen[:, action] & np.asarray(folds != fold), np.asarray(folds == fold)
            rewards = rows.rewards[fitted, action]
            if len(rewards) >= _LEAST:
                model = Ridge(alpha=10.0).fit(scaled[fitted], rewards)
                found[wanted, action] = np.clip(model.predict(scaled[wanted]), 0, 1)
            elif len(rewards):
                found[wanted, action] = rewards.mean()
    return found


def _estimate(draws: Floats) -> Estimate:
    low, high = np.quantile(draws, [0.025, 0.975])
    # What only differs by how sums are rounded is the same, and no gain.
    value, least, most = (round(float(each), 9) + 0.0 for each in (draws[0], low, high))
    return Estimate(value, least, most)
