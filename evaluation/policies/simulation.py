"""A contextual bandit whose best policy is known: kinds of questions that different ways of answering suit.

Each context is a kind, one of four, and features beside it. What an action is worth depends on the kind and on the
sign of a feature together, as a cheap way of answering may do for easy questions of a kind and fail for hard ones: no
fixed action is near the best, and no model that is linear in the features is right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
KINDS = 4
OTHERS = 4
FEATURES = KINDS + OTHERS


@dataclass(frozen=True, slots=True)
class Bandit:
    """A bandit: the chance of a reward for each kind, sign of the first feature and action, shape (4, 2, actions)."""

    worth: NDArray[np.float64]

    @staticmethod
    def make(seed: int, actions: int = 6) -> Bandit:
        """Return a bandit: for each kind and sign another action is the best, by a good deal."""
        chance = np.random.default_rng(seed)
        worth = chance.uniform(0.15, 0.5, (KINDS, 2, actions))
        best = chance.permutation(np.arange(KINDS * 2) % actions).reshape(KINDS, 2)
        for kind in range(KINDS):
            for sign in range(2):
                worth[kind, sign, best[kind, sign]] = chance.uniform(0.75, 0.95)
        return Bandit(worth)

    @property
    def actions(self) -> int:
        """How many there are."""
        return int(self.worth.shape[2])

    def contexts(self, count: int, chance: np.random.Generator) -> Floats:
        """Draw contexts, shape (count, FEATURES)."""
        kinds = np.eye(KINDS)[chance.integers(KINDS, size=count)]
        return np.hstack([kinds, chance.normal(size=(count, OTHERS))]).astype(np.float32)

    def means(self, contexts: Floats) -> NDArray[np.float64]:
        """Return what each action is worth in each context, shape (n, actions)."""
        kinds = contexts[:, :KINDS].argmax(1)
        signs = (contexts[:, KINDS] > 0).astype(int)
        return np.asarray(self.worth[kinds, signs])

    def best(self, contexts: Floats) -> float:
        """Return the mean reward of the best policy over contexts."""
        return float(self.means(contexts).max(1).mean())

    def best_fixed(self, contexts: Floats) -> float:
        """Return the mean reward of the best of the actions, taken always."""
        return float(self.means(contexts).mean(0).max())
