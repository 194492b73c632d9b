"""One action of those that are allowed, drawn, with the probability that it had."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kernel.policies.network import Floats, Network
from kernel.policies.settings import PolicySettings

Arm = Literal["default", "explore", "policy"]
"""Which share of the questions one is of: the safe default's, that in which all actions are as likely, the policy's."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was drawn: `action` is its place in the settings, `probability` what it had over all shares together."""

    action: int
    probability: float
    arm: Arm


def choose(
    settings: PolicySettings,
    network: Network | None,
    features: Sequence[float] | None,
    chance: random.Random,
) -> Choice:
    """Draw an action for a question.

    The shares are drawn first, whatever the question is, so that the questions of the safe default's share are like
    those of the policy's: the two can be compared without a model of rewards.

    Args:
        settings: of the policy.
        network: that was trained; None chooses the safe default in its share.
        features: of the question; None, where they could not be measured, chooses the safe default.
        chance: draws.
    """
    if features is None:
        return Choice(0, 1.0, "default")
    count = len(settings.actions)
    likely = np.eye(count)[0]
    if network is not None:
        likely = network.probabilities(np.asarray([features]))[0]
    drawn = chance.random()
    if drawn < settings.default_share:
        arm, action = "default", 0
    elif drawn < settings.default_share + settings.explore:
        arm, action = "explore", chance.randrange(count)
    else:
        arm, action = "policy", chance.choices(range(count), likely.tolist())[0]
    return Choice(action, float(overall(settings, likely)[action]), arm)  # type: ignore[arg-type]


def overall(settings: PolicySettings, likely: Floats) -> Floats:
    """Return how likely each action, the last axis, is over all shares, for how likely it is in the policy's own."""
    count = len(settings.actions)
    rest = 1 - settings.default_share - settings.explore
    return np.asarray(rest * likely + settings.explore / count + settings.default_share * np.eye(count)[0])
