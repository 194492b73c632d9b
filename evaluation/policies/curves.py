"""Regret on the simulated bandit: what each learner lost against the best policy, over several seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evaluation.plots import png, pyplot
from evaluation.policies.learners import EpsilonGreedy, Fixed, Learner, LinUcb, Sac
from evaluation.policies.simulation import FEATURES, Bandit

_CONCENTRATION = 4.0
"""Of the beta distribution that graded rewards are drawn from: a standard deviation of some 0.2."""
_TESTED = 4000
"""Contexts on which it is told what a learned policy is worth."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One learner with one seed.

    Attributes:
        regret: lost so far against the best policy, in rewards, after each step.
        late: mean reward of the last quarter of the steps, as a share of the best policy's.
        final: mean reward of what was learned, on other contexts, as a share of the best policy's.
    """

    learner: str
    seed: int
    regret: NDArray[np.float64]
    late: float
    final: float


def run(bandit: Bandit, name: str, learner: Learner, *, seed: int, steps: int, thumbs: bool = False) -> Curve:
    """Let a learner act and learn; contexts and the dice of rewards are the same for all learners of a seed.

    Rewards are graded, or, as `thumbs`, 1 or 0 with the same means, which tell less.
    """
    chance = np.random.default_rng(10_000 + seed)
    contexts = bandit.contexts(steps, chance)
    means, tested = bandit.means(contexts), bandit.contexts(_TESTED, chance)
    got = np.zeros(steps)
    for step, (context, worth) in enumerate(zip(contexts, means, strict=True)):
        action = learner.act(context)
        mean = worth[action]
        graded = chance.beta(_CONCENTRATION * mean, _CONCENTRATION * (1 - mean))
        learner.learn(context, action, float(chance.random() < mean) if thumbs else graded)
        got[step] = mean
    best, last = means.max(1), slice(steps * 3 // 4, None)
    value = (learner.probabilities(tested) * bandit.means(tested)).sum(1).mean()
    return Curve(
        name,
        seed,
        np.cumsum(best - got),
        float(got[last].mean() / best[last].mean()),
        float(value / bandit.best(tested)),
    )


def curves(
    seeds: Sequence[int], steps: int, say: Callable[[str], None], *, thumbs: bool = False
) -> list[Curve]:
    """Run all learners on a bandit for each seed, see `run`."""
    found = []
    for seed in seeds:
        bandit = Bandit.make(seed)
        count = bandit.actions
        worth = bandit.means(bandit.contexts(_TESTED, np.random.default_rng(seed))).mean(0)
        learners: list[tuple[str, Learner]] = [
            ("SAC", Sac(FEATURES, count, seed=seed, steps=steps)),
            ("LinUCB", LinUcb(FEATURES, count)),
            ("epsilon-greedy", EpsilonGreedy(FEATURES, count, seed=seed)),
            ("best fixed action", Fixed(int(worth.argmax()), count)),
        ]
        found += [
            run(bandit, name, learner, seed=seed, steps=steps, thumbs=thumbs) for name, learner in learners
        ]
        say(
            f"seed {seed}: "
            + ", ".join(f"{each.learner} {each.final:.3f}" for each in found[-len(learners) :])
        )
    return found


def summary(found: Sequence[Curve]) -> dict[str, dict[str, Any]]:
    """Return for each learner its figures, each the mean over seeds with its 95 % interval (Student's t)."""
    figures: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(each.learner for each in found):
        own = [each for each in found if each.learner == name]
        figures[name] = {
            "regret": _mean([each.regret[-1] for each in own]),
            "late_share": _mean([each.late for each in own]),
            "final_share": _mean([each.final for each in own]),
            "least_final_share": min(each.final for each in own),
        }
    return figures


def plot(found: Sequence[Curve]) -> bytes:
    """Return the regret curves as PNG: the mean over seeds, and its interval."""
    figure, axes = pyplot().subplots(figsize=(7, 4.5))
    for name in dict.fromkeys(each.learner for each in found):
        table = np.array([each.regret for each in found if each.learner == name])
        steps, mean = np.arange(1, table.shape[1] + 1), table.mean(0)
        (line,) = axes.plot(steps, mean, label=name)
        if len(table) > 1:
            half = stats.t.ppf(0.975, len(table) - 1) * table.std(0, ddof=1) / np.sqrt(len(table))
            axes.fill_between(steps, mean - half, mean + half, color=line.get_color(), alpha=0.2)
    axes.set_xlabel("questions")
    axes.set_ylabel("regret against the best policy, in rewards")
    axes.legend()
    return png(figure)


def _mean(values: Sequence[float]) -> dict[str, float]:
    table = np.array(values)
    half = 0.0
    if len(table) > 1:
        half = float(stats.t.ppf(0.975, len(table) - 1) * table.std(ddof=1) / np.sqrt(len(table)))
    mean = float(table.mean())
    return {"mean": mean, "low": mean - half, "high": mean + half}
