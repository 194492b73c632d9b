"""A set's held-out rows are asked and judged by what they expect; of chats that expect nothing texts are left."""

from __future__ import annotations

import asyncio
from pathlib import Path

from adaptation.training_sets.grounded import Mix
from adaptation.training_sets.making import make_set
from adaptation.training_sets.plan import Plan, Questions, Sources
from evaluation.adapters.set_judge import set_judge
from evaluation.answers.items import Item
from tests.adaptation.lab.small_models import COLOURS, THINGS, make_pairs


def test_each_answer_is_held_against_the_expected_one(tmp_path: Path) -> None:
    items = [
        Item(
            id=f"q{thing}{number}",
            question=f"Which colour has {thing} {number}?",
            language="en",
            answerable=True,
            answers=(colour,),
        )
        for thing in THINGS
        for number, colour in enumerate(COLOURS)
    ]
    sources = Sources([Questions("colours", "own", items)])
    asyncio.run(make_set(sources, Plan(mix=Mix(kinds=["qa"]), share=0.2), tmp_path / "set"))
    judge, texts = set_judge(tmp_path / "set", most=6)
    assert judge is not None
    assert texts
    told = judge(lambda messages: "red")
    assert len(told["f1"]) == len(told["contains"]) == 6
    assert set(told["contains"]) <= {0.0, 1.0}
    assert judge(lambda messages: "no colour")["f1"] == [0.0] * 6


def test_chats_without_expected_answers_leave_texts_and_no_judge(tmp_path: Path) -> None:
    judge, texts = set_judge(make_pairs(tmp_path / "set"))
    assert judge is None
    assert texts[0].startswith("The ")
