"""What an adapter changed: each kind of row is judged by what it expects, and forgetting counts against it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from adaptation.training_sets.rows import ChatRow
from adaptation.training_sets.wording import Shape, shapes
from evaluation.adapters.comparing import Change, changes, load_general, verdict
from evaluation.adapters.judging import judge, read_form


def row(kind: str, answer: str, **more: Any) -> ChatRow:
    said = [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}]
    return ChatRow.model_validate({"id": "r", "kind": kind, "messages": said} | more)


GROUNDED = row("grounded", "It is kept for 48 hours [2].", expected=("48 hours",), number=2)


@pytest.mark.parametrize(
    ("text", "marker", "right", "contains", "refused"),
    [
        ("It is kept for 48 hours [2].", 1, 1, 1, 0),
        ("48 hours [1].", 1, 0, 1, 0),
        ("48 hours [1][2].", 1, 0, 1, 0),
        ("48 hours.", 0, 0, 1, 0),
        ("24 hours [2].", 1, 1, 0, 0),
        ("I don't know.", 0, 0, 0, 1),
    ],
)
def test_an_answer_is_judged_by_marker_and_words(
    text: str, marker: int, right: int, contains: int, refused: int
) -> None:
    found = judge(GROUNDED, text)
    assert (found["marker"], found["right_marker"], found["contains"], found["wrongly_refused"]) == (
        marker,
        right,
        contains,
        refused,
    )


def test_words_are_compared_with_the_answer_that_is_expected() -> None:
    assert judge(GROUNDED, "48 hours [2].")["f1"] == 1.0
    assert judge(GROUNDED, "It is kept for 48 hours [2].")["f1"] == pytest.approx(2 * 2 / (6 + 2))
    assert judge(GROUNDED, "A day [2].")["f1"] == 0.0
    pair = row("qa", "48 hours", detail="pair")
    assert judge(pair, "48 hours.")["f1"] == 1.0


def test_a_refusal_is_right_where_nothing_answers() -> None:
    removed = row("refusal", "I don't know.", detail="removed")
    assert judge(removed, "I don't know.") == {"refused": 1.0, "refused_removed": 1.0}
    assert judge(removed, "48 hours [1].")["refused"] == 0.0


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: shape.name)
def test_a_form_is_followed_when_nothing_else_is_written(shape: Shape) -> None:
    chosen = shape
    right = chosen.render("a < b & c", 3)
    asked = row("format", right, detail=chosen.name)
    assert read_form(chosen, right) == ("a < b & c", 3)
    assert read_form(chosen, chosen.render("I don't know.", None)) == ("I don't know.", None)
    assert judge(asked, f"  {right}\n")["format"] == 1.0
    for wrong in (
        f"Here: {right}",
        right[:-1],
        "48 hours [1].",
        "",
        chosen.render("x", 1).replace("1", "one"),
    ):
        assert judge(asked, wrong)["format"] == 0.0, wrong


def test_a_document_type_in_xml_is_not_read() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "c">]><answer><text>&b;</text><source>1</source></answer>'
    assert read_form(shapes()[0], bomb) is None


def change(before: float, after: float, *, better: int = 1, rows: int = 60) -> Change:
    flags = np.arange(rows) / rows
    scores = [[{"refused": float(flag < share)} for flag in flags] for share in (before, after)]
    return changes(*scores)["refused"].model_copy(update={"better": better})


def test_an_adapter_wins_when_more_got_better_than_worse_and_nothing_was_forgotten() -> None:
    gain, loss = change(0.1, 0.9), change(0.1, 0.9, better=-1)
    assert (gain.verdict, loss.verdict, change(0.5, 0.52).verdict) == ("better", "worse", "alike")
    assert verdict({"a": gain}, (10.0, 10.2))[0]
    assert not verdict({"a": gain, "b": loss}, (10.0, 10.0))[0]
    assert not verdict({"a": change(0.5, 0.52)}, (10.0, 10.0))[0]


def test_forgetting_outweighs_any_gain_and_is_told() -> None:
    gain = change(0.1, 0.9)
    recommended, reasons = verdict({"a": gain}, (10.0, 10.6))
    assert (recommended, any("6 % worse" in reason for reason in reasons)) == (False, True)
    recommended, reasons = verdict({"a": gain, "instruction": change(0.6, 0.5)}, (10.0, 10.0))
    assert (recommended, any("general instructions" in reason for reason in reasons)) == (False, True)


def test_a_loss_that_may_be_chance_is_told_and_decides_nothing() -> None:
    few = change(0.6, 0.55, rows=40)
    assert few.verdict == "alike"
    recommended, reasons = verdict({"a": change(0.1, 0.9), "instruction": few}, (10.0, 10.0))
    assert (recommended, "may be chance with 40" in reasons[-1]) == (True, True)


def test_the_general_set_asks_what_can_be_checked() -> None:
    instructions, texts = load_general()
    assert (len(instructions), len(texts)) == (40, 10)
    assert len({each.id for each in instructions}) == 40
    for each in instructions:
        assert not re.search(each.accept, "I am not sure about that.", re.IGNORECASE)
