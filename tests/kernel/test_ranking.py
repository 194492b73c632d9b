"""Which sentence answers, and whether any does, with the real embedder."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from kernel.answering.answerability import AnswerabilityModel, load_model, measure
from kernel.answering.extraction import choose_sentences
from kernel.answering.focus import focus
from kernel.answering.passage_tokens import PassageTokens
from kernel.answering.ranking import Ranking, SentenceRanker
from kernel.answering.reading import Reading
from retrieval.records import Passage
from retrieval.sentence_transformer import SentenceTransformerEmbedder

TEXTS = [
    "The kiln is fired at 1,240 °C for nine hours. The door stays shut until it has cooled below 90 °C.",
    "Glaze G-7 is stirred for 20 minutes before use. It is kept on shelf C.",
]


def passages(texts: Sequence[str]) -> list[Passage]:
    return [
        Passage(
            number,
            number,
            f"d{number}",
            f"/d{number}",
            "",
            None,
            50,
            50 + len(text),
            (),
            text,
            1.0,
            number,
            0.85,
        )
        for number, text in enumerate(texts, start=1)
    ]


def equal_weights(words: Iterable[str]) -> dict[str, float]:
    return dict.fromkeys(words, 1.0)


def ranker(embedder: SentenceTransformerEmbedder) -> SentenceRanker:
    tokens = PassageTokens(embedder, embedder.token_codec, lambda texts: {}, 224)
    return SentenceRanker(tokens, embedder.embed_query, equal_weights)


def rank(embedder: SentenceTransformerEmbedder, question: str, texts: Sequence[str] = TEXTS) -> Ranking:
    return ranker(embedder).rank(question, passages(texts))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How long must glaze G-7 be stirred?", "Glaze G-7 is stirred for 20 minutes before use."),
        ("How hot is the kiln fired?", "The kiln is fired at 1,240 °C for nine hours."),
        ("窯は何度で焼成しますか。", "The kiln is fired at 1,240 °C for nine hours."),
    ],
)
def test_the_sentence_that_answers_comes_first_in_either_language(
    embedder: SentenceTransformerEmbedder, question: str, answer: str
) -> None:
    assert rank(embedder, question).sentences[0].sentence.text == answer


def test_the_chosen_sentences_begin_with_the_best_and_are_at_most_three(
    embedder: SentenceTransformerEmbedder,
) -> None:
    ranking = rank(embedder, "How long must glaze G-7 be stirred?")
    chosen = choose_sentences(ranking)
    assert chosen[0] is ranking.sentences[0]
    assert len(chosen) <= 3
    assert choose_sentences(replace(ranking, sentences=[])) == []


def test_the_model_is_shown_the_best_sentences_under_their_passages_numbers(
    embedder: SentenceTransformerEmbedder,
) -> None:
    found = passages(TEXTS)
    ranking = rank(embedder, "How long must glaze G-7 be stirred?")
    (shown,) = focus(found, ranking, sentences=1)
    assert (shown.number, shown.text) == (2, "Glaze G-7 is stirred for 20 minutes before use.")
    assert [item.text for item in focus(found, ranking, sentences=0)] == TEXTS


def measured(embedder: SentenceTransformerEmbedder, question: str) -> dict[str, float]:
    return measure(question, passages(TEXTS), rank(embedder, question))


def test_a_figure_that_was_asked_about_and_is_missing_is_measured(
    embedder: SentenceTransformerEmbedder,
) -> None:
    there = measured(embedder, "Is G-7 stirred?")
    lacking = measured(embedder, "Is G-8 stirred?")
    assert (there["missing_figure"], lacking["missing_figure"]) == (0.0, 1.0)
    assert lacking["joint_coverage"] < there["joint_coverage"]


def test_the_shipped_model_thinks_less_of_passages_without_the_words_of_the_question(
    embedder: SentenceTransformerEmbedder,
) -> None:
    model = load_model()
    answerable = model.probability(measured(embedder, "How long is glaze G-7 stirred?"))
    other = model.probability(measured(embedder, "Who won the chess match in Oslo?"))
    assert other < model.threshold < answerable


def test_no_passages_are_measured_without_a_fault(embedder: SentenceTransformerEmbedder) -> None:
    assert measure("Why?", [], rank(embedder, "Why?", [])) == {
        "similarity": 0.0,
        "lead": 0.0,
        "sentence_interaction": 0.0,
        "joint_coverage": 0.0,
        "missing_figure": 0.0,
        "missing_code": 0.0,
        "wrong_kind": 0.0,
        "other_language": 0.0,
    }


def test_the_lead_of_the_best_passage_and_what_was_read_are_measured(
    embedder: SentenceTransformerEmbedder,
) -> None:
    question = "How long is glaze G-7 stirred?"
    found, ranking = passages(TEXTS), rank(embedder, question)
    alone = rank(embedder, question, TEXTS[:1])
    assert measure(question, found[:1], alone)["lead"] == 0.0
    best = max(passage.similarity for passage in found)
    others = sorted(passage.similarity for passage in found)[:-1]
    assert measure(question, found, ranking)["lead"] == pytest.approx(best - sum(others) / len(others))
    assert "draft_support" not in measure(question, found, ranking)
    readings = [Reading(0, 0, 5, -1.0), Reading(1, 0, 5, 2.5)]
    assert measure(question, found, ranking, readings)["draft_support"] == 2.5
    assert measure(question, found, ranking, [Reading(1, 0, 5, 99.0)])["draft_support"] == 15.0
    assert measure(question, found, ranking, [])["draft_support"] == -15.0


def test_what_was_not_measured_says_nothing() -> None:
    model = AnswerabilityModel(("x", "y"), (0.0, 3.0), (1.0, 1.0), (1.0, 2.0), 0.5, 0.5)
    assert model.probability({"x": 1.0}) == model.probability({"x": 1.0, "y": 3.0})


def test_a_part_number_that_the_best_passage_lacks_is_measured(embedder: SentenceTransformerEmbedder) -> None:
    assert measured(embedder, "Is glaze G-7 stirred?")["missing_code"] == 0.0
    assert measured(embedder, "Is glaze G-8 stirred?")["missing_code"] == 1.0


def test_where_no_sentence_holds_a_value_of_the_kind_that_is_asked_for_it_is_measured(
    embedder: SentenceTransformerEmbedder,
) -> None:
    assert measured(embedder, "How many minutes is glaze G-7 stirred?")["wrong_kind"] == 0.0
    assert measured(embedder, "What does glaze G-7 cost?")["wrong_kind"] == pytest.approx(0.03)


def test_a_passage_in_another_language_than_the_question_is_measured(
    embedder: SentenceTransformerEmbedder,
) -> None:
    assert measured(embedder, "How long is glaze G-7 stirred?")["other_language"] == 0.0
    assert measured(embedder, "釉薬G-7は何分かき混ぜますか。")["other_language"] == 1.0


def test_a_probability_lies_between_none_and_one_whatever_was_measured() -> None:
    model = AnswerabilityModel(("x",), (0.0,), (1.0,), (1e9,), 0.0, 0.5)
    assert 0.0 < model.probability({"x": -1e9}) < 1e-9
    assert model.probability({"x": 1e9}) == pytest.approx(1.0)
