"""The benchmarks of training: folds, shares beside the trivial answer, memory beside that of training all weights."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from adaptation.finetuning.recipe import Recipe
from evaluation.benchmarks import classes, methods
from evaluation.benchmarks.classes import Outcome, folds_of, results, rows_of
from kernel.settings import Settings
from retrieval.errors import UsageError


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """Questions of two classes, twice as many of one."""
    path = tmp_path / "questions.jsonl"
    rows = [
        {
            "pmid": str(number),
            "question": f"Does drug {number} help?",
            "contexts": [
                f"Drug {number} was given to forty patients. It {'helped' if number % 3 else 'failed'}."
            ],
            "final_decision": "yes" if number % 3 else "no",
            "long_answer": "It was seen.",
        }
        for number in range(18)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_each_question_is_asked_once_and_each_class_is_in_every_fold(questions: Path) -> None:
    rows, named = rows_of(questions)
    assert named == ["no", "yes"]
    parts = folds_of(rows, 3, seed=1)
    assert sorted(row.id for part in parts for row in part) == sorted(row.id for row in rows)
    assert [Counter(row.answer for row in part) for part in parts] == [{"yes": 4, "no": 2}] * 3


def test_shares_stand_beside_always_naming_the_most_frequent_class() -> None:
    outcomes = [
        Outcome(str(number), "yes" if number < 6 else "no", dict.fromkeys(classes.WAYS, "yes"))
        for number in range(10)
    ]
    outcomes = [
        Outcome(each.id, each.label, each.named | {"tuned, said": each.label, "base, said": "perhaps"})
        for each in outcomes
    ]
    found = {each.way: each for each in results(outcomes)}
    assert found["always yes"].share == 0.6
    assert (found["base, said"].share, found["tuned, said"].share) == (0.0, 1.0)
    assert found["tuned, said"].over_majority == pytest.approx(0.4)
    assert found["tuned, likeliest"].over_majority == 0


def test_a_fold_is_learned_asked_and_kept(
    questions: Path, small_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(generator=str(small_base), dtype="float32", threads=1, cache=tmp_path / "cache")
    recipe = Recipe(steps=2, rank=2, rows=4, pack=512)
    first = classes.measure(questions, settings, recipe, folds=3, keep=tmp_path / "kept", only=[2])
    assert len(first) == 6
    assert all(set(each.named) == set(classes.WAYS) for each in first)
    assert all(each.named["base, likeliest"] in ("no", "yes") for each in first)
    monkeypatch.setattr(classes, "run_fold", None)
    assert classes.measure(questions, settings, recipe, folds=3, keep=tmp_path / "kept", only=[2]) == first


def test_a_file_without_classes_is_told_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    row = {"id": "a", "question": "Where?", "answer": "Here.", "document": "a.md", "answerable": True}
    path.write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(UsageError, match="no questions over texts whose answer is a class"):
        rows_of(path)


def test_memory_stands_beside_that_of_all_weights() -> None:
    found = [
        methods.Result("imports alone", 0, 0.0, None, None, 500.0),
        methods.Result("full", 100, 50.0, 2.0, 1.0, 2500.0),
        methods.Result("qlora", 10, 40.0, 2.0, 1.1, 1000.0),
    ]
    row = methods.lines(found)[-1].split()
    assert row[-2:] == ["0.40", "0.25"]


def test_what_learns_no_answers_is_not_compared(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'dpo' is no method that learns answers"):
        methods.measure(tmp_path, ["dpo"], rows=4, steps=1, checkpointing=False)
    with pytest.raises(UsageError, match="has no conversations to train"):
        methods.measure(tmp_path, ["lora"], rows=4, steps=1, checkpointing=False)
