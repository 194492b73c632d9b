"""A variant on trial: gets its share of questions, always the same ones, and is told apart by thumbs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.trial import count_trial, lines
from kernel.settings import Settings
from kernel.trial import default_variant, is_on_trial
from retrieval.access import Caller

TRIAL = Settings(variant="base", trial_variant="mine", trial_share=0.3)


def test_the_variant_on_trial_gets_about_its_share() -> None:
    chosen = [default_variant(TRIAL, f"Question {number}?", usual="base") for number in range(4000)]
    assert 0.27 < chosen.count("mine") / 4000 < 0.33
    assert set(chosen) == {"base", "mine"}


@given(st.text(max_size=30), st.text(min_size=1, max_size=10))
def test_the_same_question_of_the_same_person_and_a_whole_conversation_stay_with_one(
    text: str, name: str
) -> None:
    who = Caller(name)
    assert default_variant(TRIAL, text, usual="base", caller=who) == default_variant(
        TRIAL, text, usual="base", caller=who
    )
    talks = {
        default_variant(TRIAL, f"{text}{turn}", usual="base", caller=who, conversation="c1")
        for turn in range(9)
    }
    assert len(talks) == 1


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_without_a_share_nobody_and_with_all_of_it_everybody_gets_it(share: float) -> None:
    settings = Settings(variant="base", trial_variant="mine", trial_share=share)
    assert {default_variant(settings, str(number), usual="base") for number in range(50)} == {
        "mine" if share else "base"
    }
    assert is_on_trial(settings) == bool(share)


def test_without_a_trial_the_setting_answers() -> None:
    assert default_variant(Settings(), "x", usual="base") == "base"
    assert not is_on_trial(Settings(variant="base"))


@dataclass(frozen=True)
class Said:
    user: str
    question: str
    rating: str
    variant: str
    at: str = "2026-11-28T00:00:00"
    data: dict[str, Any] = field(default_factory=dict)


def said(user: str, question: str, rating: str, variant: str, at: str = "2026-11-28") -> Said:
    return Said(user, question, rating, variant, at, {"answer": {"variant": variant}})


def test_thumbs_are_counted_by_variant_and_compared_with_an_interval() -> None:
    rows = [said("a", f"q{n}", "up" if n < 30 else "down", "base") for n in range(60)]
    rows += [said("a", f"q{n}", "up" if n < 52 else "down", "mine") for n in range(60)]
    found = count_trial(rows, "base", "mine")
    assert (found.ratings["base"].hits, found.ratings["mine"].hits) == (30, 52)
    assert found.difference == pytest.approx(22 / 60)
    assert found.difference is not None
    assert found.interval is not None
    assert 0.15 < found.interval[0] < found.difference < found.interval[1] < 0.55
    assert found.p_value is not None
    assert found.p_value < 0.001
    assert "mine is liked better" in lines(found, "base", "mine")[-1]


def test_few_thumbs_tell_no_difference() -> None:
    rows = [said("a", "q1", "up", "base"), said("a", "q2", "down", "base"), said("a", "q3", "up", "mine")]
    assert "no difference beyond chance" in lines(count_trial(rows, "base", "mine"), "base", "mine")[-1]


def test_the_last_thumb_of_a_person_on_an_answer_counts_and_earlier_ones_can_be_left_out() -> None:
    rows = [
        said("a", "q", "down", "base"),
        said("a", "q", "up", "base", "2026-11-29"),
        said("b", "q", "up", "base"),
    ]
    assert (count_trial(rows, "base", None).ratings["base"].hits, len(rows)) == (2, 3)
    late = count_trial(rows, "base", None, since="2026-11-29")
    assert (late.ratings["base"].hits, late.ratings["base"].total) == (1, 1)
    assert count_trial([], "base", "mine").interval is None
