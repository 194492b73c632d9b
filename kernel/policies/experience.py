"""What a policy decided and what became of it: the rows that are learnt from, and that tell when it is worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kernel.policies.choosing import Arm
from kernel.policies.features import FEATURES
from kernel.policies.rewards import (
    OPENED,
    UNRATED,
    Outcome,
    Rating,
    check_rewards,
    ratings_by_decision,
    reward_of,
)
from kernel.policies.settings import PolicySettings
from plugins.memory.decisions import Decision


@dataclass(frozen=True, slots=True)
class Experience:
    """A decision with its reward.

    Attributes:
        name: of the decision.
        features: of the question, in the order of `FEATURES`.
        action: its place in the settings.
        probability: that it had.
        arm: the share that the question was of.
        reward: 0 to 1; 0 where the action failed and the safe default had to answer.
        rated: whether anybody said whether it was right.
        revision: of the policy that decided.
    """

    name: str
    features: tuple[float, ...]
    action: int
    probability: float
    arm: Arm
    reward: float
    rated: bool
    revision: str


def experience_of(
    decisions: Sequence[Decision], said: Sequence[Rating], settings: PolicySettings
) -> list[Experience]:
    """Return the decisions with their rewards, those left out that were of other actions or features.

    Args:
        decisions: of one policy, in their order.
        said: what people said of answers.
        settings: of the policy.

    Raises:
        UsageError: a reward is no number; names the decision.
    """
    ratings = ratings_by_decision(said, per_day=settings.ratings_per_day)
    actions = settings.plain_actions
    rows = []
    for decision in decisions:
        data = decision.data
        if data.get("names") != list(FEATURES) or data.get("action") not in actions:
            continue
        outcome = Outcome(data["supported"], data["characters"], data["seconds"])
        correct = ratings.get(decision.name, OPENED if decision.clicked else UNRATED)
        reward = 0.0 if data["failed"] else reward_of(outcome, correct, settings.rewards)
        rows.append(
            Experience(
                name=decision.name,
                features=tuple(data["features"]),
                action=actions.index(data["action"]),
                probability=data["probability"],
                arm=data["arm"],
                reward=reward,
                rated=decision.name in ratings,
                revision=data["revision"],
            )
        )
    check_rewards([row.reward for row in rows], [f"decision {row.name}" for row in rows])
    return rows
