"""What was done and what came of it, to learn from again: a ring that forgets the oldest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Batch:
    """Transitions: states and the ones after, shape (n, d); actions, rewards, whether it ended there, shape (n,)."""

    states: Floats
    actions: NDArray[np.int64]
    rewards: Floats
    following: Floats
    ended: Floats


class Replay:
    """Holds at most `capacity` transitions."""

    def __init__(self, capacity: int, features: int) -> None:
        self._batch = Batch(
            np.zeros((capacity, features), np.float32),
            np.zeros(capacity, np.int64),
            np.zeros(capacity, np.float32),
            np.zeros((capacity, features), np.float32),
            np.ones(capacity, np.float32),
        )
        self._capacity = capacity
        self._added = 0

    def __len__(self) -> int:
        return min(self._added, self._capacity)

    def add(
        self,
        state: Floats,
        action: int,
        reward: float,
        following: Floats | None = None,
        *,
        ended: bool = True,
    ) -> None:
        """Keep a transition. Without a state after it, it ended there.

        Raises:
            ValueError: the reward is no number.
        """
        if not np.isfinite(reward):
            raise ValueError(f"a reward must be a number, not {reward}")
        place, rows = self._added % self._capacity, self._batch
        rows.states[place], rows.actions[place], rows.rewards[place] = state, action, reward
        rows.following[place] = state if following is None else following
        rows.ended[place] = float(ended or following is None)
        self._added += 1

    def sample(self, size: int, chance: np.random.Generator) -> Batch:
        """Return as many as wanted, drawn with replacement."""
        rows, drawn = self._batch, chance.integers(len(self), size=size)
        return Batch(
            rows.states[drawn],
            rows.actions[drawn],
            rows.rewards[drawn],
            rows.following[drawn],
            rows.ended[drawn],
        )
