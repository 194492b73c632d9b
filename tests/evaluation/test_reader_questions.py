"""Sets that a reading model learns from and is measured on, and two such models held together."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest

from evaluation.answers.reading import read_questions
from evaluation.reader_questions import asked_of, compare_readers, reader_sets, watched_groups
from kernel.model_store import ModelStore
from kernel.reading_model import find_reader
from retrieval.errors import UsageError
from tests.adaptation.lab.small_reader import asked_about, make_reader, write_questions


def test_no_document_is_in_two_parts(tmp_path: Path) -> None:
    one, other = write_questions(tmp_path / "one", 60), write_questions(tmp_path / "other", 20, group="other")
    found = reader_sets([one], [other], fold="2/2", measured_fold="1/2", sample=100)
    learned = {each.group for each in found.learned}
    held = {each.group for each in found.held}
    measured = {each.group for each in found.measured["one"]}
    assert list(found.measured) == ["one"], "what is learned as a whole is not measured on"
    assert learned
    assert held
    assert measured
    assert not learned & held
    assert not (learned | held) & measured
    assert {f"other{number}" for number in range(20)} <= learned | held
    assert len(learned | held | measured) == 80


def test_nothing_is_measured_where_no_question_is_asked_for(tmp_path: Path) -> None:
    one = write_questions(tmp_path / "one", 60)
    assert reader_sets([one], [], fold="2/2", measured_fold="1/2", sample=0).measured == {}


def test_two_sets_of_one_name_are_measured_as_one(tmp_path: Path) -> None:
    both = [write_questions(tmp_path / each / "asked", 60, group=each) for each in ("a", "b")]
    found = reader_sets(both, [], fold="2/2", measured_fold="1/2", sample=100).measured
    assert list(found) == ["asked"]
    assert {each.group[0] for each in found["asked"]} == {"a", "b"}


def test_a_question_comes_with_its_passage_and_the_others_of_its_document(tmp_path: Path) -> None:
    rows = [
        {"_id": "a", "title": "T", "text": "bought in 1901"},
        {"_id": "b", "title": "T", "text": "sold in 1950"},
        {"_id": "c", "title": "T", "text": "seen in 1901"},
        {"_id": "d", "title": "U", "text": "made in 1960"},
    ]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "queries.jsonl").write_text(
        '{"_id": "q", "text": "When was it bought?", "answers": ["1901"]}\n'
    )
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta\t1\n")
    (asked,) = asked_of(read_questions(tmp_path), fold=None)
    assert (asked.text, asked.others) == ("bought in 1901", ("sold in 1950",)), "one that answers is no other"
    assert watched_groups([asked]) == {"T"}


def test_a_set_without_passages_is_said_to_bring_none(tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text('{"id": "a", "question": "When?", "answer": "1901"}\n')
    with pytest.raises(UsageError, match="brings no passages that answer its questions"):
        reader_sets([], [file], fold="2/2", measured_fold="1/2", sample=10)


def test_a_model_keeps_all_of_its_own_figures_and_another_does_not(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "cache", offline=True)
    one, other = (
        find_reader(store, own=make_reader(tmp_path / str(seed), seed=seed), engine="torch")
        for seed in (0, 1)
    )
    assert one is not None
    assert other is not None
    ticks = count()
    same = compare_readers(one, one, asked_about(60), clock=lambda: float(next(ticks)))
    assert (same["kept"], same["kept_interval"], same["times_as_fast"]) == (1.0, (1.0, 1.0), 1.0)
    assert same["f1"]["difference"] == 0.0
    assert same["questions"] == 60
    found = compare_readers(one, other, asked_about(60))
    assert found["f1"]["before"] == same["f1"]["before"]
    assert found["kept"] == pytest.approx(found["f1"]["after"] / found["f1"]["before"])
    low, high = found["kept_interval"]
    assert low < found["kept"] < high
    assert found["times_as_fast"] > 0
