"""The adviser: every rule by itself, and what comes of whole sets of answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adaptation.advice.advising import advise, break_even, curve, draw
from adaptation.advice.rules import Rule, options, questions, read_answers, rules
from retrieval.errors import UsageError


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_each_rule_holds_where_its_example_says_so_and_moves_its_option(rule: Rule) -> None:
    assert rule.holds(rule.example)
    assert not rule.holds(rule.counter)
    holds, not_so = (advise(read_answers(given)) for given in (rule.example, rule.counter))
    scores = [
        next(each.score for each in advice.options if each.option == rule.option)
        for advice in (holds, not_so)
    ]
    reasons = next(each.reasons for each in holds.options if each.option == rule.option)
    assert rule.reason["en"] in reasons
    assert (scores[0] - scores[1]) * rule.score > 0


def test_rules_questions_and_options_know_each_other_and_speak_both_languages() -> None:
    asked, known = {question.id for question in questions()}, {option.id for option in options()}
    assert len({rule.id for rule in rules()}) == len(rules())
    assert {name for rule in rules() for name in rule.when} <= asked
    assert {rule.option for rule in rules()} <= known
    texts = [*(q.text for q in questions()), *(r.reason for r in rules()), *(o.name for o in options())]
    assert all(set(text) == {"en", "ja"} and all(text.values()) for text in texts)
    unused = asked - {name for rule in rules() for name in rule.when}
    assert unused <= {"monthly", "questions_a_day"}, "what is asked decides something"


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ({}, "retrieval"),
        (
            {
                "need": "behaviour",
                "rows": 300,
                "sources_needed": False,
                "accuracy": "usual",
                "changes": "never",
            },
            "lora",
        ),
        (
            {
                "need": "behaviour",
                "rows": 5,
                "sources_needed": False,
                "accuracy": "usual",
                "changes": "never",
                "offline": False,
            },
            "prompting",
        ),
        (
            {
                "need": "behaviour",
                "rows": 300,
                "sources_needed": False,
                "accuracy": "usual",
                "changes": "never",
                "model_b": 7,
                "gpu_gib": 0,
                "offline": False,
            },
            "prompting",
        ),
        (
            {
                "vocabulary": "special",
                "text_mib": 50000,
                "upfront": 200000,
                "gpu_gib": 80,
                "sources_needed": False,
                "accuracy": "usual",
                "need": "behaviour",
                "changes": "never",
            },
            "scratch",
        ),
    ],
)
def test_whole_sets_of_answers_get_the_advice_an_expert_would_give(given: dict[str, Any], first: str) -> None:
    advice = advise(read_answers(given))
    assert advice.recommended[0] == first, [(each.option, each.score) for each in advice.options]


def test_reasons_come_in_japanese() -> None:
    advice = advise(read_answers({}), language="ja")
    assert any("引用" in reason for reason in advice.options[0].reasons)


def test_costs_add_up_and_meet_where_they_should() -> None:
    assert curve(100, 10, 3) == [100, 110, 120, 130]
    assert break_even(curve(100, 10, 24), curve(0, 30, 24)) == 5
    assert break_even(curve(100, 40, 24), curve(0, 30, 24)) is None
    advice = advise(read_answers({"questions_a_day": 5000, "months": 12}))
    best = advice.options[0]
    assert (
        best.cost
        == pytest.approx(best.upfront + 12 * best.monthly)
        == pytest.approx(advice.curves[best.option][-1])
    )
    assert advice.break_even["retrieval"] == 1
    assert not advise(read_answers({"monthly": 0})).options[0].affordable


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"needs": "x"}, "nothing that is asked is called 'needs'"),
        ({"need": "money"}, "one of knowledge, behaviour, both"),
        ({"rows": "many"}, "is a number"),
        ({"rows": -1}, "is 0 at least"),
        ({"months": float("nan")}, "is 1 at least"),
        ({"weights": "perhaps"}, "is yes or no"),
    ],
)
def test_an_answer_that_is_none_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_answers(given)


def test_answers_are_read_as_people_type_them() -> None:
    found = read_answers({"need": "2", "weights": "はい", "rows": "1,200", "offline": "No"})
    assert (found["need"], found["weights"], found["rows"], found["offline"]) == (
        "behaviour",
        True,
        1200.0,
        False,
    )


def test_costs_are_drawn_as_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw(advise(read_answers({})), tmp_path / "costs.png")
    assert (tmp_path / "costs.png").read_bytes()[:4] == b"\x89PNG"
