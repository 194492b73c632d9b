"""What answers are worth, by what can be told of them and by what people say; nobody decides alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from kernel.policies.experience import experience_of
from kernel.policies.features import FEATURES
from kernel.policies.rewards import (
    OPENED,
    UNRATED,
    Outcome,
    check_rewards,
    ratings_by_decision,
    reward_of,
)
from kernel.policies.settings import RewardSettings
from plugins.memory.decisions import Decision
from retrieval.errors import UsageError
from tests.kernel.policies.made import policy

SETTINGS = policy()
ONLY_RIGHT = RewardSettings(correct=1, supported=0, short=0, fast=0)


@dataclass(frozen=True)
class Said:
    user: str
    decision: str
    rating: str = "down"
    at: str = "2026-11-29T10:00:00"
    correction: str = ""
    data: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        answer = {"answer": "The kiln is fired at 1,240 °C [1].", "policy": {"decision": self.decision}}
        object.__setattr__(self, "data", {"answer": answer, "correction": self.correction})


def rated(said: Sequence[Said], per_day: int = 10) -> dict[str, float]:
    return ratings_by_decision(said, per_day=per_day)


def decided(name: str, **changes: Any) -> Decision:
    data = {
        "revision": "r",
        "names": list(FEATURES),
        "features": [0.0] * len(FEATURES),
        "action": SETTINGS.plain_actions[1],
        "probability": 0.5,
        "arm": "policy",
        "failed": False,
        "refused": False,
        "supported": 1.0,
        "characters": 400,
        "seconds": 5.0,
    }
    clicked = bool(changes.pop("clicked", False))
    return Decision(name, "2026-11-29", {**data, **changes}, clicked)


def test_each_part_counts_as_the_settings_say_and_what_cannot_be_told_is_left_out() -> None:
    outcome = Outcome(supported=0.5, characters=400, seconds=5.0)
    assert reward_of(outcome, 1.0, ONLY_RIGHT) == 1.0
    assert reward_of(outcome, 1.0, RewardSettings(correct=0, supported=1, short=0, fast=0)) == 0.5
    assert reward_of(outcome, 1.0, RewardSettings(correct=0, supported=0, short=1, fast=0)) == 0.5
    assert reward_of(outcome, 1.0, RewardSettings(correct=0, supported=0, short=0, fast=1)) == 0.5
    even = RewardSettings(correct=1, supported=1, short=1, fast=1)
    assert reward_of(outcome, 1.0, even) == pytest.approx((1 + 0.5 + 0.5 + 0.5) / 4)
    stored = Outcome(supported=None, characters=0, seconds=None)
    assert reward_of(stored, 0.0, even) == pytest.approx((0 + 1) / 2)
    assert reward_of(stored, 0.0, RewardSettings(correct=0, supported=1, short=0, fast=0)) == UNRATED


def test_a_thousand_ratings_of_one_user_count_as_a_few_and_the_word_of_others_still_counts() -> None:
    flood = [Said("mallory", f"d{number}") for number in range(1000)]
    assert len(rated(flood)) == 10
    assert set(rated(flood, per_day=3)) == {"d0", "d1", "d2"}
    again = [Said("mallory", "d0") for _ in range(1000)]
    assert rated([*again, Said("aki", "d0", "up")]) == {"d0": 0.5}, "one voice each"
    other_day = [Said("mallory", f"e{number}", at="2026-11-30T10:00:00") for number in range(1000)]
    assert len(rated([*flood, *other_day])) == 20
    honest = [Said(f"user{number}", f"h{number}", "up") for number in range(30)]
    assert len(rated([*flood, *honest])) == 40


def test_rating_the_same_answer_again_on_another_day_does_not_win_a_day() -> None:
    said = [Said("m", f"d{number}") for number in range(20)]
    later = [Said("m", f"d{number}", at="2026-12-01T00:00:00") for number in range(10)]
    assert len(rated([*said, *later])) == 10


def test_the_last_word_counts_and_a_correction_by_how_much_it_left() -> None:
    assert rated([Said("aki", "d"), Said("aki", "d", "up")]) == {"d": 1.0}
    little = rated([Said("aki", "d", correction="The kiln is fired at 1,250 °C.")])["d"]
    much = rated([Said("aki", "d", correction="Ask the foreman first, it depends.")])["d"]
    assert little > 0.9
    assert much < 0.5


def test_answers_that_no_policy_chose_are_passed_over() -> None:
    assert rated([Said("aki", "")]) == {}


def test_what_nobody_rated_counts_half_and_an_opened_source_little_more() -> None:
    settings = policy(rewards=ONLY_RIGHT.model_dump())
    rows = experience_of(
        [decided("a"), decided("b", clicked=True), decided("c"), decided("d", failed=True)],
        [Said("aki", "c", "up")],
        settings,
    )
    assert [row.reward for row in rows] == [UNRATED, OPENED, 1.0, 0.0]
    assert [row.rated for row in rows] == [False, False, True, False]


def test_decisions_of_other_actions_or_features_are_left_out() -> None:
    rows = [decided("a", action={"variant": "gone"}), decided("b", names=["length"]), decided("c")]
    assert [row.name for row in experience_of(rows, [], SETTINGS)] == ["c"]


def test_a_reward_that_is_no_number_is_refused_with_its_row() -> None:
    with pytest.raises(UsageError, match=r"row 2 \(question q7 by base\) has the reward nan"):
        check_rewards([0.5, float("nan")], ["question q1 by base", "question q7 by base"])
    with pytest.raises(UsageError, match=r"row 1 \(q\) has the reward 1.5, which is not between 0 and 1"):
        check_rewards([1.5], ["q"])
    with pytest.raises(UsageError, match=r"row 2 \(decision b\) has the reward nan"):
        experience_of([decided("a"), decided("b", supported=float("nan"))], [], SETTINGS)
