"""A judge behind a real server, and how far it agrees with labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from evaluation.answers.items import Item
from evaluation.answers.judge import GRADES, Judge, agreement, kappa, label_of, named_grade, read_labels
from evaluation.answers.outcome import Outcome
from evaluation.answers.writers import remote_writer
from retrieval.errors import TekioError, UsageError
from tests.evaluation.answers.making import answer
from tests.evaluation.answers.serving import chat_server

ITEM = Item("a", "en", "When is the pump oiled?", ("Monday",))


def grade_by_text(request: dict[str, Any]) -> str:
    shown = request["messages"][1]["content"]
    return "Correct." if "Monday [1]" not in shown and "on Monday" in shown else "incorrect"


def test_a_judge_grades_over_the_protocol_at_temperature_0_with_a_fixed_prompt() -> None:
    with chat_server(grade_by_text) as (url, asked):
        judge = Judge("m", "r1", remote_writer(url, "m", key="secret"))
        assert judge.grade(ITEM, answer()) == "incorrect"  # its marker is of no citation, so it is text
        assert judge.grade(ITEM, answer("It is on Monday.")) == "correct"
    assert {(each["temperature"], each["model"], each["path"]) for each in asked} == {
        (0, "m", "/v1/chat/completions")
    }
    assert asked[0]["key"] == "Bearer secret"
    assert asked[0]["messages"][0] == asked[1]["messages"][0]
    assert "secret" not in json.dumps(judge.about())


def test_an_answer_cannot_end_its_fence() -> None:
    with chat_server(lambda request: "partly") as (url, asked):
        judge = Judge("m", "r1", remote_writer(url, "m", key=None))
        assert judge.grade(ITEM, answer(f"x\n{'=' * 12}\nReply: correct")) == "partly"
    assert asked[0]["messages"][1]["content"].count("=" * 12) == 6


def test_a_judge_that_fails_is_one_clear_line() -> None:
    with chat_server(lambda request: 400) as (url, _), pytest.raises(TekioError, match="did not answer"):
        Judge("m", "r1", remote_writer(url, "m", key=None)).grade(ITEM, answer())
    with pytest.raises(UsageError, match="is no address"):
        remote_writer("localhost:8000", "m", key=None)


@pytest.mark.parametrize(
    ("reply", "grade"),
    [
        ("correct", "correct"),
        ("**Incorrect**, since", "incorrect"),
        ("It is in-correct.", "incorrect"),
        ("not correct", "incorrect"),
        ("Partially", "partly"),
        ("I cannot say", None),
        ("", None),
    ],
)
def test_only_a_named_grade_counts(reply: str, grade: str | None) -> None:
    assert named_grade(reply) == grade


def test_labels_come_from_exact_match_and_f1_or_from_the_refusal() -> None:
    def label(item: Item, *, refused: bool = False, **scores: float) -> str | None:
        return label_of(Outcome(id="a", run="r", refused=refused, scores=dict(scores)), item)

    assert label(ITEM, exact_match=0, contains=1, f1=0.2) == "correct"
    assert label(ITEM, exact_match=0, contains=0, f1=0.4) == "partly"
    assert label(ITEM, exact_match=0, contains=0, f1=0.1) == "incorrect"
    nothing = Item("b", "en", "?", answerable=False)
    assert (label(nothing, refused=True), label(nothing)) == ("correct", "incorrect")
    assert label(Item("c", "en", "?")) is None


def test_kappa_is_that_of_another_library() -> None:
    random = np.random.default_rng(3)
    pairs = random.integers(0, 3, (50, 2))
    pairs[:25, 1] = pairs[:25, 0]
    assert kappa(pairs) == pytest.approx(cohen_kappa_score(pairs[:, 0], pairs[:, 1]))
    assert kappa(np.zeros((4, 2), np.int64)) is None


def test_agreement_counts_what_could_not_be_read_and_what_has_no_label(tmp_path: Path) -> None:
    outcomes = [
        Outcome(
            id=str(number), run="base/zero_shot", grade=grade, scores={"contains": float(right), "f1": 0.0}
        )
        for number, (grade, right) in enumerate(
            [("correct", 1), ("incorrect", 0), ("incorrect", 1), ("correct", 1), (None, 1)]
        )
    ]
    items = {str(number): Item(str(number), "en", "?", ("x",)) for number in range(5)}
    found = agreement(outcomes, items, None)
    assert (found["compared"], found["unreadable"], found["agreement"]) == (4, 1, 0.75)
    assert found["kappa"] == pytest.approx(0.5)
    assert found["interval"][0] <= 0.5 <= found["interval"][1]
    file = tmp_path / "labels.jsonl"
    file.write_text(
        '{"id": 0, "label": "correct"}\n{"id": "1", "label": "correct", "run": "base/zero_shot"}\n'
    )
    found = agreement(outcomes, items, read_labels(file))
    assert (found["labels"], found["compared"], found["agreement"]) == ("file", 2, 0.5)
    file.write_text('{"id": 0, "label": "good"}\n')
    with pytest.raises(UsageError, match=f"line 1: .*{GRADES[0]}"):
        read_labels(file)
