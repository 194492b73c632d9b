from pathlib import Path

import pytest

from evaluation.demo import QUESTIONS, fault
from evaluation.metrics import reciprocal_rank, share
from evaluation.questions import folded, load_questions
from kernel.answer import Answer, Citation, FinishReason, Usage
from retrieval.errors import UsageError

DATA = Path(__file__).parents[2] / "data"


def answer(text: str, *, refused: bool = False, citations: list[Citation] | None = None) -> Answer:
    return Answer(
        question="?",
        answer=text,
        refused=refused,
        confidence=0.9,
        citations=citations or [],
        unsupported=[],
        variant="base",
        technique="zero_shot",
        language="en",
        passages=[],
        usage=Usage(),
        finish_reason=FinishReason.STOP,
        timings_ms={"total": 1.0},
    )


def citation(document: str, page: int | None) -> Citation:
    return Citation(marker=1, document=document, title="", page=page, start=0, end=1, quote="x", score=1.0)


def test_a_share_has_the_wilson_interval() -> None:
    found = share([True] * 9 + [False])
    assert found.value == 0.9
    assert found.interval == pytest.approx((0.596, 0.982), abs=0.001)
    assert share([]).interval == (0.0, 1.0)


def test_what_is_not_found_counts_as_rank_without_end() -> None:
    assert reciprocal_rank([1, 2, None]) == 0.5


def test_the_shipped_questions_are_as_the_readme_says() -> None:
    questions = load_questions(DATA / "questions.jsonl")
    assert len(questions) == 40
    assert sum(not item.answerable for item in questions) == 12
    assert sum(item.language == "ja" for item in questions) == 20
    assert all((DATA / "corpus" / item.document).is_file() for item in questions if item.document)


def test_the_questions_that_measure_are_not_those_that_calibrate() -> None:
    measured = {folded(item.question) for item in load_questions(DATA / "questions.jsonl")}
    fitted = {folded(item.question) for item in load_questions(DATA / "calibration" / "questions.jsonl")}
    shown = {folded(item.question) for item in QUESTIONS}
    assert not measured & fitted
    assert not measured & shown


def test_every_expected_answer_stands_in_its_document_as_it_is_read() -> None:
    from ingest.assemble import assemble
    from ingest.readers import read_file

    for item in load_questions(DATA / "questions.jsonl"):
        if not item.document:
            continue
        read = read_file(DATA / "corpus" / item.document)
        text = assemble([block for block in read.blocks if item.page in (None, block.page)]).text
        assert folded(item.answer) in folded(text), item.id


@pytest.mark.parametrize("line", ["{", "[]", '{"id": "1"}', "null"])
def test_a_broken_line_of_a_question_file_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(f"\n{line}\n")
    with pytest.raises(UsageError, match="line 2: not a question"):
        load_questions(file)


def test_a_missing_or_empty_question_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the questions"):
        load_questions(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(UsageError, match="holds no questions"):
        load_questions(tmp_path / "empty.jsonl")


def test_the_demo_fails_on_a_wrong_text_a_wrong_page_and_an_invention() -> None:
    english, _, unanswerable = QUESTIONS
    right = citation(english.document or "", english.page)
    assert fault(english, answer(f"It is {english.text} [1].", citations=[right])) is None
    assert fault(english, answer("It is 72 hours [1].", citations=[right])) is not None
    assert fault(english, answer(f"It is {english.text}.", citations=[citation("other.pdf", 2)])) is not None
    assert fault(english, answer("I don't know.", refused=True)) is not None
    assert fault(unanswerable, answer("Doctor Mori.")) is not None
    assert fault(unanswerable, answer("I don't know.", refused=True)) is None
