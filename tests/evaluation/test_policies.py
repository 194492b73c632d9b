"""Policies measured: the simulated bandit, what is held against soft actor-critic, and recorded answers as rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.answers.items import Item
from evaluation.answers.outcome import Outcome
from evaluation.answers.runfile import FORMAT, QuestionsAsked, RunFile, read_run
from evaluation.policies.curves import plot, run, summary
from evaluation.policies.learners import EpsilonGreedy, Fixed, LinUcb
from evaluation.policies.recorded import Recorded, rows_of
from evaluation.policies.simulation import FEATURES, Bandit
from kernel.answer import Usage
from kernel.policies.features import FEATURES as MEASURED
from kernel.policies.settings import RewardSettings
from retrieval.errors import UsageError
from tests.kernel.policies.made import policy

ONLY_RIGHT = RewardSettings(correct=1, supported=0, short=0, fast=0).model_dump()
SETTINGS = policy(actions=[{"variant": "extractive"}, {"variant": "base"}], rewards=ONLY_RIGHT)


def test_no_fixed_action_is_near_the_best_policy_of_the_bandit() -> None:
    bandit = Bandit.make(3)
    contexts = bandit.contexts(3000, np.random.default_rng(0))
    assert contexts.shape == (3000, FEATURES)
    assert bandit.best_fixed(contexts) < 0.75 * bandit.best(contexts)
    assert bandit.best(contexts) == pytest.approx(bandit.means(contexts).max(1).mean())


def test_what_it_is_held_against_learns_and_regret_is_what_was_lost() -> None:
    bandit = Bandit.make(4)
    found = [
        run(bandit, "LinUCB", LinUcb(FEATURES, bandit.actions), seed=4, steps=800),
        run(bandit, "epsilon-greedy", EpsilonGreedy(FEATURES, bandit.actions, seed=4), seed=4, steps=800),
        run(bandit, "fixed", Fixed(0, bandit.actions), seed=4, steps=800),
    ]
    linear, greedy, fixed = found
    assert linear.final > fixed.final + 0.1
    assert greedy.final > fixed.final + 0.1
    assert (np.diff(fixed.regret) >= 0).all()
    assert fixed.regret[-1] > linear.regret[-1]
    figures = summary(found)
    assert figures["fixed"]["regret"]["mean"] == pytest.approx(fixed.regret[-1])
    assert plot(found).startswith(b"\x89PNG")


def recorded(tmp_path: Path, outcomes: list[Outcome], **about: Any) -> Recorded:
    """A run file of two questions, one of which no document answers."""
    items = [
        Item("q1", "en", "How hot?", ("1,240",), group="kiln"),
        Item("q2", "en", "How cold?", (), answerable=False, group="ice"),
    ]
    asked = QuestionsAsked(
        path="q.jsonl", form="own", name="q", digest="d", count=2, answerable=1, pool=False
    )
    names = dict.fromkeys(outcome.run for outcome in outcomes)
    whole = RunFile(
        format=FORMAT,
        made="2026-11-29",
        questions=asked,
        about={"settings": {"technique": "zero_shot", "top_k": 5, "policies": {}}, "top_k": None, **about},
        methods={},
        judge=None,
        ways=[],
        runs=[
            {"name": name, "variant": name.split("/")[0], "technique": [*name.split("/"), "zero_shot"][1]}
            for name in names
        ],
        comparisons=[],
        notices=[],
        items=items,
        outcomes=outcomes,
    )
    path = tmp_path / "run.json"
    path.write_text(json.dumps(whole.model_dump(mode="json")), encoding="utf-8")
    return Recorded(path, read_run(path), {item.id: (0.5,) * len(MEASURED) for item in items})


def outcome(item: str, way: str, **fields: Any) -> Outcome:
    return Outcome(id=item, run=way, timings_ms={"total": 5000.0}, **fields)


def test_answers_of_a_run_are_rewards_by_their_words_or_by_refusing_rightly(tmp_path: Path) -> None:
    outcomes = [
        outcome("q1", "extractive", answer="1,240 °C [1].", scores={"f1": 0.8}),
        outcome("q2", "extractive", refused=True, answer="I don't know."),
        outcome("q1", "base/zero_shot", refused=True, scores={"f1": 0.0}),
        outcome("q2", "base/zero_shot", answer="Very cold."),
    ]
    rows = rows_of([recorded(tmp_path, outcomes)], SETTINGS)
    assert rows.rewards.tolist() == [[0.8, 0.0], [1.0, 0.0]]
    assert rows.seen.all()
    assert rows.chances.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert rows.groups == ("q:kiln", "q:ice"), "split by document"


def test_length_time_and_support_count_as_the_settings_say(tmp_path: Path) -> None:
    even = policy(
        actions=SETTINGS.plain_actions, rewards={"correct": 0, "supported": 1, "short": 1, "fast": 1}
    )
    answered = outcome("q1", "extractive", answer="x" * 400, scores={"unsupported_share": 0.25})
    stored = outcome("q2", "extractive", answer="x" * 400, usage=Usage(cached_tokens=9))
    rows = rows_of([recorded(tmp_path, [answered, stored])], even)
    assert rows.rewards[0, 0] == pytest.approx((0.75 + 0.5 + 0.5) / 3)
    assert rows.rewards[1, 0] == pytest.approx(0.5), "what a stored answer took is not told"


def test_an_answer_that_failed_is_worth_nothing_and_the_judge_goes_before_the_words(tmp_path: Path) -> None:
    outcomes = [
        outcome("q1", "extractive", error="the model is gone"),
        outcome("q1", "base/zero_shot", answer="hot", scores={"f1": 0.1, "judge": 1.0}),
    ]
    assert rows_of([recorded(tmp_path, outcomes)], SETTINGS).rewards[0].tolist() == [0.0, 1.0]


def test_runs_are_told_apart_by_technique_passages_and_temperature(tmp_path: Path) -> None:
    actions = [
        {"variant": "base"},
        {"variant": "base", "technique": "few_shot"},
        {"variant": "base", "top_k": 3},
        {"variant": "base", "temperature": 0.7},
    ]
    settings = policy(actions=actions, rewards=ONLY_RIGHT)
    warm = {"warm": {"actions": [{"variant": "base", "temperature": 0.7}]}}
    told = {"settings": {"technique": "zero_shot", "top_k": 5, "policies": warm}}
    ways = ("base/zero_shot", "base/few_shot", "warm/zero_shot")
    outcomes = [
        outcome("q1", way, answer="hot", scores={"f1": 0.1 * place}) for place, way in enumerate(ways, 1)
    ]
    rows = rows_of([recorded(tmp_path, outcomes, **told)], settings)
    assert rows.seen[0].tolist() == [True, True, False, True]
    assert rows.rewards[0] == pytest.approx([0.1, 0.2, 0.0, 0.3])
    narrow = rows_of([recorded(tmp_path, outcomes[:1], top_k=3)], settings)
    assert narrow.seen[0].tolist() == [False, False, True, False]


def test_files_that_cannot_be_learnt_from_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no answers: record some by `tekio evaluate answers`"):
        rows_of([recorded(tmp_path, [])], SETTINGS)
    other = [outcome("q1", "mine/zero_shot", answer="hot", scores={"f1": 1.0})]
    with pytest.raises(
        UsageError, match=r"has answers of mine/zero_shot, none by an action of the policy \(extr"
    ):
        rows_of([recorded(tmp_path, other)], SETTINGS)
    broken = [outcome("q1", "base/zero_shot", answer="hot", scores={"f1": float("nan")})]
    path = tmp_path / "run.json"
    made = recorded(tmp_path, [outcome("q1", "base/zero_shot", answer="hot", scores={"f1": 0.5})])
    path.write_text(path.read_text("utf-8").replace('"f1": 0.5', '"f1": NaN'), encoding="utf-8")
    assert broken[0].scores["f1"] != broken[0].scores["f1"]
    with pytest.raises(UsageError, match=r"row 1 \(question q1 by base/zero_shot in .*\) has the reward nan"):
        rows_of([Recorded(path, read_run(path), made.features)], SETTINGS)
