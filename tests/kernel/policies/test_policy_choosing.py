"""Actions are drawn with the probability that is told, and the safe default always has its share."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from kernel.policies.choosing import choose, overall
from kernel.policies.features import FEATURES
from kernel.policies.network import Network
from tests.kernel.policies.made import file_for, policy

SETTINGS = policy(explore=0.2, default_share=0.3)
ASKED = [0.0] * len(FEATURES)


def test_each_action_is_drawn_as_often_as_its_probability_says() -> None:
    network = Network.of(file_for(SETTINGS, favours=1))
    chance = random.Random(5)
    drawn = [choose(SETTINGS, network, ASKED, chance) for _ in range(4000)]
    counted = Counter(each.action for each in drawn)
    told = {each.action: each.probability for each in drawn}
    assert sum(told.values()) == pytest.approx(1)
    for action, probability in told.items():
        assert counted[action] / 4000 == pytest.approx(probability, abs=0.03)
    arms = Counter(each.arm for each in drawn)
    assert arms["default"] / 4000 == pytest.approx(0.3, abs=0.03)
    assert arms["explore"] / 4000 == pytest.approx(0.2, abs=0.03)
    assert {each.action for each in drawn if each.arm == "default"} == {0}


def test_without_a_policy_the_safe_default_answers_but_for_what_is_explored() -> None:
    chance = random.Random(6)
    drawn = [choose(SETTINGS, None, ASKED, chance) for _ in range(2000)]
    assert {each.action for each in drawn if each.arm != "explore"} == {0}
    assert 0.05 < sum(each.action == 1 for each in drawn) / 2000 < 0.15


def test_a_question_that_could_not_be_measured_gets_the_safe_default() -> None:
    network = Network.of(file_for(SETTINGS, favours=1))
    chance = random.Random(7)
    drawn = {
        (each.action, each.probability)
        for each in (choose(SETTINGS, network, None, chance) for _ in range(50))
    }
    assert drawn == {(0, 1.0)}


def test_the_default_has_its_share_whatever_the_policy_thinks_of_it() -> None:
    least = overall(SETTINGS, np.array([0.0, 1.0]))
    assert least.tolist() == pytest.approx([0.3 + 0.1, 0.5 + 0.1])
