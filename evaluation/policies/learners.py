"""What learns on the simulated bandit: soft actor-critic, and what it is held against."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from adaptation.policies.sac import DiscreteSac, Recipe

Floats = NDArray[np.float32]
_BEFORE = 32
"""Rewards that are waited for before the first step of training."""


class Learner(Protocol):
    """Acts and learns, one context at a time."""

    def act(self, context: Floats) -> int:
        """Return an action."""

    def learn(self, context: Floats, action: int, reward: float) -> None:
        """Learn from a reward."""

    def probabilities(self, contexts: Floats) -> NDArray[np.float64]:
        """Return how likely it now takes each action, shape (n, actions), when it need not explore."""


class Sac:
    """Soft actor-critic, with one step of training for each reward."""

    def __init__(self, features: int, actions: int, *, seed: int, steps: int) -> None:
        self._sac = DiscreteSac(features, actions, Recipe(settled=steps * 6 // 10), seed=seed)

    def act(self, context: Floats) -> int:
        """Return an action, drawn by the actor."""
        return self._sac.act(context)

    def learn(self, context: Floats, action: int, reward: float) -> None:
        """Keep a reward, and take a step."""
        self._sac.replay.add(context, action, reward)
        if len(self._sac.replay) >= _BEFORE:
            self._sac.learn()

    def probabilities(self, contexts: Floats) -> NDArray[np.float64]:
        """Return how likely the actor takes each action."""
        return self._sac.probabilities(contexts)


class _Linear:
    """A ridge regression for each action, brought up to date with each reward; the last feature is 1."""

    def __init__(self, features: int, actions: int) -> None:
        self._inverse = np.tile(np.eye(features + 1), (actions, 1, 1))
        self._sums = np.zeros((actions, features + 1))

    def learn(self, context: Floats, action: int, reward: float) -> None:
        """Learn from a reward (Sherman and Morrison, 1950, for the inverse)."""
        x = np.append(context, 1.0)
        inverse = self._inverse[action]
        moved = inverse @ x
        self._inverse[action] = inverse - np.outer(moved, moved) / (1 + x @ moved)
        self._sums[action] += reward * x

    def expected(self, contexts: Floats) -> NDArray[np.float64]:
        """Return what each action is expected to give, shape (n, actions)."""
        x = np.hstack([contexts, np.ones((len(contexts), 1))])
        return np.asarray(x @ np.einsum("aij,aj->ai", self._inverse, self._sums).T)

    def probabilities(self, contexts: Floats) -> NDArray[np.float64]:
        """Return 1 for the action that is expected to give the most."""
        expected = self.expected(contexts)
        return np.asarray(np.eye(expected.shape[1])[expected.argmax(1)])


class LinUcb(_Linear):
    """LinUCB with disjoint models (Li et al., "A Contextual-Bandit Approach to Personalized News", WWW 2010)."""

    def __init__(self, features: int, actions: int, *, width: float = 0.5) -> None:
        super().__init__(features, actions)
        self._width = width

    def act(self, context: Floats) -> int:
        """Return the action whose upper confidence bound is the highest."""
        x = np.append(context, 1.0)
        spread = np.sqrt(np.einsum("i,aij,j->a", x, self._inverse, x))
        return int((self.expected(context[None])[0] + self._width * spread).argmax())


class EpsilonGreedy(_Linear):
    """The same models; an action by chance for a share of the contexts."""

    def __init__(self, features: int, actions: int, *, seed: int, share: float = 0.1) -> None:
        super().__init__(features, actions)
        self._chance = np.random.default_rng(seed)
        self._share = share

    def act(self, context: Floats) -> int:
        """Return the action that is expected to give the most, or any."""
        expected = self.expected(context[None])[0]
        if self._chance.random() < self._share:
            return int(self._chance.integers(len(expected)))
        return int(expected.argmax())


class Fixed:
    """Always the same action."""

    def __init__(self, action: int, actions: int) -> None:
        self._action = action
        self._actions = actions

    def act(self, context: Floats) -> int:
        """Return the action."""
        return self._action

    def learn(self, context: Floats, action: int, reward: float) -> None:
        """Learn nothing."""

    def probabilities(self, contexts: Floats) -> NDArray[np.float64]:
        """Return 1 for the action."""
        return np.tile(np.eye(self._actions)[self._action], (len(contexts), 1))
