"""The sequential test: how often it is wrong about a sound policy, and how soon it sees a bad one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kernel.policies.choosing import Arm
from kernel.policies.watching import watch


def answers(policy: float, default: float, count: int, seed: int) -> Iterator[tuple[Arm, float]]:
    """Answers of mean rewards, a tenth of them the safe default's."""
    chance = np.random.default_rng(seed)
    for _ in range(count):
        if chance.random() < 0.1:
            yield "default", float(chance.random() < default)
        else:
            yield "policy", float(chance.random() < policy)


def share(policy: float, default: float, *, runs: int, count: int, error: float) -> float:
    seen = [watch(answers(policy, default, count, seed), error=error).worse for seed in range(runs)]
    return sum(seen) / runs


def test_a_policy_as_good_as_the_default_is_taken_out_no_more_often_than_the_error_allows() -> None:
    assert share(0.5, 0.5, runs=200, count=1500, error=0.1) <= 0.1
    assert share(0.7, 0.5, runs=50, count=1500, error=0.1) <= 0.1


def test_a_policy_that_is_worse_is_taken_out() -> None:
    assert share(0.3, 0.7, runs=50, count=600, error=0.05) >= 0.9
    assert share(0.4, 0.6, runs=30, count=3000, error=0.05) >= 0.9


def test_looking_again_and_again_finds_no_more_than_looking_once() -> None:
    rows = list(answers(0.5, 0.5, 1000, seed=3))
    ever = any(watch(rows[:end], error=0.1).worse for end in range(50, 1001, 50))
    assert ever == watch(rows, error=0.1).worse


def test_without_both_shares_nothing_is_claimed() -> None:
    seen = watch([("policy", 0.0)] * 100, error=0.05)
    assert (seen.worse, seen.default_mean, seen.policy) == (False, None, 100)
    assert not watch([("default", 1.0)] * 100, error=0.05).worse
    assert not watch([("explore", 0.0), ("default", 1.0)] * 100, error=0.05).worse
