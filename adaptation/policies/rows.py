"""What policies are learnt from and valued by: questions with the rewards of the actions that were taken."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernel.policies.experience import Experience
from kernel.policies.rewards import check_rewards
from retrieval.errors import UsageError


@dataclass(frozen=True, slots=True)
class Rows:
    """Questions, in rows.

    Attributes:
        features: shape (n, d).
        seen: of which actions the reward is known, shape (n, actions).
        rewards: 0 to 1 where seen.
        chances: how likely it was that an action was seen: 1 where all were tried.
        groups: what stays together when rows are split or drawn, such as a document; n of them.
    """

    features: NDArray[np.float64]
    seen: NDArray[np.bool_]
    rewards: NDArray[np.float64]
    chances: NDArray[np.float64]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.groups)

    @staticmethod
    def of(experience: Sequence[Experience], actions: int) -> Rows:
        """Return the rows of decisions, each a group of its own.

        Raises:
            UsageError: there is none.
        """
        if not experience:
            raise UsageError(
                "no decision is kept to learn from: let the policy answer some questions first, or train it --from a "
                "run of `tekio evaluate answers`"
            )
        count = len(experience)
        seen = np.zeros((count, actions), bool)
        rewards, chances = np.zeros((count, actions)), np.ones((count, actions))
        for number, row in enumerate(experience):
            seen[number, row.action] = True
            rewards[number, row.action] = row.reward
            chances[number, row.action] = row.probability
        features = np.array([row.features for row in experience])
        return Rows(features, seen, rewards, chances, tuple(row.name for row in experience))

    def checked(self, names: Sequence[str]) -> Rows:
        """Return them, checked.

        Raises:
            UsageError: a reward is no number from 0 to 1; names its row. Or a feature is none.
        """
        check_rewards(
            [float(reward) for reward in self.rewards[self.seen]],
            [names[number] for number, _ in np.argwhere(self.seen)],
        )
        broken = np.flatnonzero(~np.isfinite(self.features).all(axis=1))
        if len(broken):
            raise UsageError(f"row {broken[0] + 1} ({names[broken[0]]}) has a feature that is no number")
        return self

    def half(self, number: int) -> Rows:
        """Return those of one half, 0 or 1, of the groups: what one is fitted on, the other is not. Always the same."""
        chosen = np.array([_hash(group) % 2 == number for group in self.groups], bool)
        return self.take(np.flatnonzero(chosen))

    def take(self, places: NDArray[np.intp]) -> Rows:
        """Return the rows at some places."""
        groups = tuple(self.groups[place] for place in places)
        return Rows(
            self.features[places], self.seen[places], self.rewards[places], self.chances[places], groups
        )


def _hash(group: str) -> int:
    return int.from_bytes(hashlib.sha256(f"fold:{group}".encode()).digest()[:8])
