"""Policies are learnt and valued: on a bandit with a known optimum, on rows, and off-policy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from adaptation.policies.learning import Plan, train, worth
from adaptation.policies.replay import Replay
from adaptation.policies.rows import Rows
from adaptation.policies.sac import DiscreteSac, Recipe
from adaptation.policies.value import value_of
from kernel.policies.features import FEATURES
from kernel.policies.registry import PolicyFolder
from retrieval.errors import UsageError
from tests.kernel.policies.made import policy

Floats = NDArray[np.float64]
WIDTH = len(FEATURES)
SETTINGS = policy(actions=[{"variant": "extractive", "top_k": top} for top in (1, 2, 3)])


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def means(features: Floats) -> Floats:
    """What three actions are worth: the default 0.5, the two others by the sign of a feature."""
    good = features[:, 0] > 0
    return np.stack([np.full(len(good), 0.5), np.where(good, 0.9, 0.1), np.where(good, 0.1, 0.9)], axis=1)


def recorded(count: int, *, seed: int = 0, noise: float = 0.1) -> Rows:
    """Questions on which all actions were tried."""
    chance = np.random.default_rng(seed)
    features = chance.normal(size=(count, WIDTH))
    rewards = np.clip(means(features) + noise * chance.normal(size=(count, 3)), 0, 1)
    everything = np.ones((count, 3))
    return Rows(features, everything > 0, rewards, everything, tuple(f"d{row}" for row in range(count)))


def logged(count: int, *, seed: int = 0) -> Rows:
    """Questions on which one action was tried, more often the first."""
    full, chance = recorded(count, seed=seed), np.random.default_rng(seed + 1)
    likely = np.array([0.6, 0.2, 0.2])
    taken = np.eye(3)[chance.choice(3, size=count, p=likely)] > 0
    return replace(full, seen=taken, rewards=full.rewards * taken, chances=np.where(taken, likely, 1.0))


def test_soft_actor_critic_learns_which_action_suits_which_context_and_tunes_its_temperature() -> None:
    chance = np.random.default_rng(1)
    sac = DiscreteSac(2, 3, Recipe(hidden=32, learning_rate=3e-3, batch=32, settled=300), seed=1)
    begun = sac.temperature
    for _ in range(500):
        state = chance.normal(size=2).astype(np.float32)
        action = sac.act(state)
        reward = means(state[None].astype(float))[0, action]
        sac.replay.add(state, action, float(reward))
        if len(sac.replay) >= 32:
            sac.learn()
    tested = chance.normal(size=(500, 2)).astype(np.float32)
    likely, known = sac.probabilities(tested), means(tested.astype(float))
    assert (likely * known).sum(1).mean() > 0.9 * known.max(1).mean()
    assert (likely * known).sum(1).mean() > known.mean(0).max() + 0.2, "beats every fixed action"
    entropy = -(likely * np.log(np.clip(likely, 1e-12, 1))).sum(1).mean()
    assert entropy < 0.5 * np.log(3), "held near the target, which has fallen"
    assert sac.temperature != begun


def test_with_a_discount_what_comes_after_counts_by_way_of_the_targets() -> None:
    sac = DiscreteSac(
        1, 2, Recipe(hidden=16, learning_rate=1e-2, batch=16, discount=0.9, polyak=0.2, entropy=(0, 0))
    )
    first, second = np.array([0.0], np.float32), np.array([1.0], np.float32)
    for action in (0, 1):
        sac.replay.add(first, action, 0.0, second, ended=False)  # nothing now
        sac.replay.add(second, action, 1.0)  # and 1 at the end
    for _ in range(200):
        sac.learn()
    assert sac.expected(first[None])[0] == pytest.approx([0.9, 0.9], abs=0.15)


def test_an_action_that_is_not_allowed_is_never_taken() -> None:
    sac = DiscreteSac(2, 3, Recipe(hidden=8), allowed=np.array([True, False, True]))
    state = np.zeros(2, np.float32)
    for action in (0, 2):
        sac.replay.add(state, action, 0.5)
    for _ in range(20):
        sac.learn()
    assert sac.probabilities(state[None])[0, 1] == 0
    assert np.isfinite(sac.probabilities(state[None])).all()


def test_the_replay_forgets_the_oldest_and_refuses_what_is_no_number() -> None:
    replay = Replay(2, 1)
    for reward in (0.1, 0.2, 0.3):
        replay.add(np.zeros(1, np.float32), 0, reward)
    drawn = replay.sample(100, np.random.default_rng(0)).rewards
    assert len(replay) == 2
    assert sorted(set(drawn.round(1).tolist())) == pytest.approx([0.2, 0.3])
    with pytest.raises(ValueError, match="must be a number, not nan"):
        replay.add(np.zeros(1, np.float32), 0, float("nan"))


def test_where_all_was_tried_the_value_is_exact() -> None:
    rows = recorded(200)
    likely = np.eye(3)[means(rows.features).argmax(1)]
    value = value_of(rows, likely)
    true = float((likely * rows.rewards).sum(1).mean())
    for estimate in (value.doubly_robust, value.ips, value.snips):
        assert estimate.value == pytest.approx(true)
    assert value.default.value == pytest.approx(float(rows.rewards[:, 0].mean()))
    assert value.fixed == pytest.approx(rows.rewards.mean(0).tolist())
    assert value.gain.low > 0.3
    assert value.beats_default


def test_from_what_was_logged_the_doubly_robust_value_is_near_the_truth_and_surer_than_ips() -> None:
    truths, robust, ips = [], [], []
    for seed in range(12):
        rows = logged(400, seed=10 * seed)
        likely = np.eye(3)[means(rows.features).argmax(1)]
        value = value_of(rows, likely, seed=seed)
        truths.append(float((likely * means(rows.features)).sum(1).mean()))
        robust.append(value.doubly_robust.value)
        ips.append(value.ips.value)
        assert value.effective < len(rows)
    error, error_ips = np.array(robust) - truths, np.array(ips) - truths
    assert abs(error.mean()) < 0.03
    assert error.std() < error_ips.std()


def test_a_policy_that_is_no_better_is_not_said_to_be() -> None:
    rows = recorded(200)
    assert not value_of(rows, np.tile([1.0, 0.0, 0.0], (200, 1))).beats_default
    assert value_of(rows, np.eye(3)[means(rows.features).argmin(1)]).gain.high < 0


def test_training_holds_half_of_the_documents_out_and_goes_on_from_where_it_ended(tmp_path: Path) -> None:
    folder = PolicyFolder(tmp_path, "smart")
    rows = recorded(160)
    file, value = train(rows, SETTINGS, folder, Plan(steps=400), sources=["run.json"], say=lambda text: None)
    assert value.beats_default
    assert value.over_best_fixed.low > 0
    assert value.questions + file.trained["questions"] == 160
    assert {*rows.half(0).groups}.isdisjoint(rows.half(1).groups)
    assert not file.trained["went_on"]
    again, _ = train(rows, SETTINGS, folder, Plan(steps=20), sources=["more"], say=lambda text: None)
    assert again.trained["went_on"]
    assert worth(again, rows.half(1)).beats_default, "twenty steps from nothing would not do"
    anew, _ = train(rows, SETTINGS, folder, Plan(steps=20, anew=True), sources=["x"], say=lambda text: None)
    assert not anew.trained["went_on"]
    assert folder.candidate.exists()
    assert not folder.serving.exists(), "training lets nothing serve"


def test_an_action_with_too_few_answers_is_not_learnt(tmp_path: Path) -> None:
    rows = recorded(60)
    seen = rows.seen.copy()
    seen[5:, 2] = False
    few = replace(rows, seen=seen)
    file, _ = train(
        few, SETTINGS, PolicyFolder(tmp_path, "s"), Plan(steps=20), sources=[], say=lambda text: None
    )
    assert file.learned == [True, True, False]
    none = replace(rows, seen=np.zeros_like(seen) | (np.arange(3) == 1))
    with pytest.raises(UsageError, match="the safe default, extractive, top 1, has 0 answers in the half"):
        train(none, SETTINGS, PolicyFolder(tmp_path, "s"), Plan(), sources=[], say=lambda text: None)
    alone = replace(rows, seen=np.zeros_like(seen) | (np.arange(3) == 0))
    with pytest.raises(UsageError, match="no action but the safe default"):
        train(alone, SETTINGS, PolicyFolder(tmp_path, "s"), Plan(), sources=[], say=lambda text: None)
    one_document = replace(rows, groups=("same",) * 60)
    with pytest.raises(UsageError, match="of too few documents"):
        train(one_document, SETTINGS, PolicyFolder(tmp_path, "s"), Plan(), sources=[], say=lambda text: None)


def test_rows_that_are_no_numbers_are_refused_by_name() -> None:
    rows = recorded(3)
    rewards = rows.rewards.copy()
    rewards[1, 1] = np.nan
    names = ["question a", "question b", "question c"]
    with pytest.raises(UsageError, match=r"question b.* has the reward nan"):
        replace(rows, rewards=rewards).checked(names)
    features = rows.features.copy()
    features[2, 0] = np.inf
    with pytest.raises(UsageError, match=r"row 3 \(question c\) has a feature that is no number"):
        replace(rows, features=features).checked(names)
    with pytest.raises(UsageError, match="no decision is kept to learn from"):
        Rows.of([], 2)
