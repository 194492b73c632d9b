"""A draft is timed beside its model, whose answers it does not change, and is told in what numbers it should guess."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adaptation.lab.distilling.distil import distil_model
from adaptation.lab.distilling.plan import DistilPlan
from adaptation.lab.pruning.plan import PrunePlan
from adaptation.lab.pruning.prune import prune_model
from adaptation.lab.speculating.expected import best_guesses, speed_up, tokens_a_step
from adaptation.lab.speculating.plan import SpeculatePlan
from adaptation.lab.speculating.speculate import TEXT, named, questions_of, speculate
from kernel.model_store import ModelStore
from retrieval.errors import UsageError
from tests.adaptation.lab.small_models import make_pairs, make_small
from tests.adaptation.lab.test_distilling import make_other_words
from tests.adaptation.trained import BASE, write_set

PLAN: dict[str, Any] = {"guesses": (1, 3), "prompts": 2, "new_tokens": 16, "threads": 1}


@pytest.fixture(scope="module")
def whole(model_store: ModelStore) -> Path:
    return model_store.resolve(BASE).folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pairs(tmp_path_factory.mktemp("sets") / "colours")


@pytest.fixture(scope="module")
def small(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_small(whole, tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def draft(small: Path, data: Path) -> Path:
    prune_model(small, small.parent / "draft", PrunePlan(data, "layers", 0.25, read=2, window=128))
    return small.parent / "draft"


def test_what_is_expected_is_what_a_coin_gives() -> None:
    # A guess holds or does not: of two ahead, 1 + 1/2 + 1/4 tokens come of a step.
    assert tokens_a_step(0.5, 2) == pytest.approx(1.75)
    assert tokens_a_step(1.0, 4) == 5
    assert tokens_a_step(0.0, 4) == 1
    assert speed_up(0.8, 3, 0.1) == pytest.approx((1 + 0.8 + 0.64 + 0.512) / 1.3)


def test_more_is_guessed_where_more_holds_and_nothing_where_it_does_not_pay() -> None:
    assert best_guesses(0.9, 0.1, 16) > best_guesses(0.6, 0.1, 16) > 0
    assert best_guesses(0.3, 0.9, 16) == 0
    assert best_guesses(1.0, 0.1, 16) == 16


def test_the_longest_answers_are_asked_for_or_the_first_of_the_set(tmp_path: Path) -> None:
    pairs = [(f"Question {number}?", "Word " * (number + 1)) for number in range(8)]
    data = write_set(tmp_path / "set", pairs)

    def asked(prompts: int, *, longest: bool) -> list[str]:
        chats = questions_of(SpeculatePlan(data, prompts=prompts, longest=longest))
        return [str(chat[-1]["content"]) for chat in chats]

    in_order, of_set = asked(8, longest=True), asked(8, longest=False)
    assert in_order == [f"Question {number}?" for number in range(7, -1, -1)]
    assert sorted(of_set) == sorted(in_order)
    assert asked(2, longest=True) == in_order[:2]
    assert asked(2, longest=False) == of_set[:2] != in_order[:2]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_each_number_and_precision_is_timed_and_greedy_answers_stay_the_same(
    small: Path, draft: Path, data: Path, temperature: float
) -> None:
    plan = SpeculatePlan(data, temperature=temperature, **PLAN)
    report = speculate(small, draft, plan)
    assert [(each.draft_precision, each.guesses) for each in report.tried] == [
        (precision, guesses) for precision in (TEXT, "auto", "int4-weights") for guesses in (1, 3)
    ]
    assert {each.same for each in report.tried} == ({True} if temperature == 0 else {None})
    assert set(report.first_holds) == set(report.cost) == {TEXT, "auto", "int4-weights"}
    assert all(0 <= each.holding <= 1 and each.tokens_a_step >= 1 for each in report.tried)
    drafted = [each for each in report.tried if each.draft_precision != TEXT]
    assert report.best == max(drafted, key=lambda each: each.speed_up)
    assert report.pays == (report.best.speed_up > max(1, *(each.speed_up for each in report.tried[:2])))
    assert report.draft_bytes < report.model_bytes


def test_a_model_that_guesses_for_itself_is_always_right(small: Path, data: Path) -> None:
    report = speculate(small, small, SpeculatePlan(data, drafts=("auto",), from_text=False, **PLAN))
    assert report.first_holds["auto"] > 0.9
    assert all(each.holding > 0.9 for each in report.tried if each.draft_precision != TEXT)


def test_a_draft_may_guess_among_its_commonest_words_and_answers_stay_the_same(
    small: Path, data: Path
) -> None:
    draft = small.parent / "student"
    distil_model(small, None, draft, DistilPlan(data, steps=2, rows=2, window=128, control=False))
    plan = SpeculatePlan(data, drafts=("int8",), words=(0, 64), **PLAN)
    report = speculate(small, draft, plan)
    assert [each.draft_words for each in report.tried[2:]] == [0, 0, 64, 64]
    assert all(each.same for each in report.tried)
    assert set(report.cost) - {TEXT} == {named("int8", 0), named("int8", 64)} == {"int8", "int8, 64 words"}


def test_a_draft_that_does_not_tell_its_words_is_told(small: Path, draft: Path, data: Path) -> None:
    with pytest.raises(UsageError, match="draft does not tell its commonest words: distil it anew"):
        speculate(small, draft, SpeculatePlan(data, words=(64,), **PLAN))


def test_a_draft_that_cannot_guess_is_told(small: Path, whole: Path, data: Path, tmp_path: Path) -> None:
    other = make_other_words(whole, tmp_path / "other")
    with pytest.raises(UsageError, match="has other words than small"):
        speculate(small, other, SpeculatePlan(data, **PLAN))
    with pytest.raises(UsageError, match="there is no model in"):
        speculate(small, tmp_path / "nothing", SpeculatePlan(data, **PLAN))
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(UsageError, match="bert cannot be guessed for or guess"):
        speculate(small, tmp_path / "bert", SpeculatePlan(data, **PLAN))


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"guesses": (0, 2)}, "--guesses are 1 to 64"),
        ({"drafts": ("int2",)}, "not 'int2'"),
        ({"temperature": -1.0}, "--temperature is 0 to 10"),
        ({"words": (-1,)}, "--draft-words are 0 or more"),
        ({"prompts": 0}, "--prompts is at least 1"),
    ],
)
def test_a_number_out_of_range_is_told_by_its_option(data: Path, chosen: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        SpeculatePlan(data, **chosen).check()
