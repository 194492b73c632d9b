"""What one answer is worth."""

from __future__ import annotations

import pytest

from evaluation.answers.items import Item, Span
from evaluation.answers.metrics import answer_scores, named_label, oracle_scores
from tests.evaluation.answers.making import answer, citation, passage

ITEM = Item(
    "a", "en", "When is the pump oiled?", ("Monday",), places=(("d", None),), spans=(Span("d", 21, 27),)
)


def test_the_whole_and_the_short_answer_are_scored_apart() -> None:
    scores = answer_scores(ITEM, answer(citations=[citation("d", 0, 28)], short="Monday"))
    assert scores["f1"] == pytest.approx(2 / 6)
    assert (scores["short_f1"], scores["short_exact_match"], scores["exact_match"]) == (1.0, 1.0, 0.0)
    assert scores["contains"] == 1.0
    assert scores["trivial_f1"] == pytest.approx(2 / 6)


def test_without_a_short_answer_the_whole_one_counts() -> None:
    scores = answer_scores(ITEM, answer("Monday [1]", citations=[citation("d", 0, 28)]))
    assert scores["short_f1"] == scores["f1"] == 1.0


def test_a_refusal_of_an_answerable_question_is_worth_nothing_and_right_for_another() -> None:
    refusal = answer("I don't know.", refused=True)
    scores = answer_scores(ITEM, refusal)
    assert (scores["f1"], scores["decision_right"], scores["citation_recall"]) == (0.0, 0.0, 0.0)
    assert scores["citation_precision"] is None
    assert "unsupported_share" not in scores
    assert answer_scores(Item("b", "en", "?", answerable=False), refusal) == {"decision_right": 1.0}


def test_citations_are_held_against_document_and_page() -> None:
    item = Item("a", "en", "?", places=(("d", 2), ("e", None)))
    scores = answer_scores(
        item,
        answer(citations=[citation("d", 0, 5, page=2), citation("d", 0, 5, page=3), citation("f", 0, 5)]),
    )
    assert scores["citation_precision"] == pytest.approx(1 / 3)
    assert scores["citation_recall"] == 0.5


def test_spans_are_met_by_characters_of_the_same_document() -> None:
    def spans(*citations: tuple[str, int, int]) -> tuple[float | None, float | None]:
        found = answer_scores(ITEM, answer(citations=[citation(*each) for each in citations]))
        return found["span_precision"], found["span_recall"]

    assert spans(("d", 0, 28)) == (1.0, 1.0)
    assert spans(("d", 0, 24), ("d", 28, 40)) == (0.5, 0.5)
    assert spans(("d", 0, 24), ("d", 23, 27)) == (1.0, 1.0)
    assert spans(("e", 0, 28)) == (0.0, 0.0)


def test_a_sentence_that_is_neither_cited_nor_marked_is_seen() -> None:
    item = Item("a", "en", "?")
    text = "It is oiled on Monday [1]. It is gold."
    cited = [citation("d", 0, 28)]
    marked = answer_scores(item, answer(text, citations=cited, unsupported=["It is gold."]))
    assert (marked["unsupported_share"], marked["all_supported_or_marked"]) == (0.5, 1.0)
    assert answer_scores(item, answer(text, citations=cited))["all_supported_or_marked"] == 0.0


def test_a_class_is_the_first_word_of_an_answer() -> None:
    assert named_label("Yes, it does [1].") == "yes"
    assert named_label("  ") == ""
    item = Item("a", "en", "Does it?", label="maybe")
    assert answer_scores(item, answer("Maybe: see [1]."))["label_right"] == 1.0
    assert answer_scores(item, answer("It may."))["label_right"] == 0.0


def test_the_best_sentence_of_the_right_passage_bounds_whole_sentences() -> None:
    found = oracle_scores(
        ITEM, answer("The valve is cleaned [1].", passages=[passage(text="The valve is cleaned. On Monday.")])
    )
    assert found["oracle_f1"] == 0.0
    assert found["oracle_sentence_f1"] == pytest.approx(2 / 3)
