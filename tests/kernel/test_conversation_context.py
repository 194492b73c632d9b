"""A conversation within a budget of tokens, and what a model writes of one, checked."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from kernel.conversation.context import fit, gist
from kernel.conversation.history import PastTurn
from kernel.conversation.same_question import same_question
from kernel.conversation.writing import checked_question, checked_summary


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def turn(number: int, size: int = 8) -> PastTurn:
    return PastTurn(f"Question {number}?", f"It is {number} [1]." + " more" * (size - 6))


def test_what_fits_is_kept_whole() -> None:
    history = [turn(number) for number in range(5)]
    context = fit(history, words, budget=100)
    assert (context.turns, context.summary, context.left_out) == (tuple(history), "", 0)
    assert context.tokens == sum(words([item.question, item.answer])[0] for item in history) + sum(
        words([item.answer])[0] for item in history
    )


def test_the_newest_turns_are_whole_and_older_ones_in_short_within_the_budget() -> None:
    history = [turn(number, 20) for number in range(50)]
    context = fit(history, words, budget=120)
    assert context.turns == tuple(history[-len(context.turns) :])
    assert context.turns
    assert "It is" in context.summary
    assert context.tokens <= 120
    shown = len(context.summary.splitlines())
    assert shown + context.left_out + len(context.turns) == 50
    assert context.summary.splitlines()[-1].startswith(f"- Question {49 - len(context.turns)}?")


def test_it_is_tokens_that_count_and_not_messages() -> None:
    short = fit([turn(number, 6) for number in range(50)], words, budget=200)
    long = fit([turn(number, 60) for number in range(50)], words, budget=200)
    assert len(short.turns) > 3 * len(long.turns) > 0


def test_one_turn_that_is_longer_than_the_budget_is_there_in_short() -> None:
    context = fit([PastTurn("Why?", "Because of rust [1]. " + "More. " * 500)], words, budget=50)
    assert context.turns == ()
    assert context.summary == "- Why? Because of rust."
    assert context.tokens <= 50


def test_a_thousand_turns_take_no_longer_than_those_that_fit() -> None:
    counted = 0

    def count(texts: Sequence[str]) -> list[int]:
        nonlocal counted
        counted += len(texts)
        return words(texts)

    history = [PastTurn(f"Question {number}?", "word " * 5000) for number in range(1000)]
    started = time.perf_counter()
    context = fit(history, count, budget=300)
    assert time.perf_counter() - started < 10
    assert counted < 300
    assert context.tokens <= 300


def test_the_gist_of_an_answer_is_the_sentence_that_cites() -> None:
    assert gist("Good question. It is 5 mg [2]. More.") == "It is 5 mg."
    assert gist("五ミリです。続きます。") == "五ミリです。"
    assert gist("") == ""


SAID = "Question: How long is the warranty of the pump?\nAnswer: It is two years."


@pytest.mark.parametrize(
    ("written", "question"),
    [
        ("How long is the warranty of the valve?", "And of the valve?"),
        ("Question: How long is the warranty of the valve?\nIt is two years.", "And of the valve?"),
        ('"How long is the warranty of the valve?"', "And of the valve?"),
    ],
)
def test_a_question_that_a_model_made_to_stand_alone_is_taken(written: str, question: str) -> None:
    assert checked_question(written, question, [SAID]) == "How long is the warranty of the valve?"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "And of the valve?",  # adds nothing
        "How long is the warranty of the pump?",  # loses the valve
        "How long is the warranty of the valve in Japan?",  # adds what was not said
        "The warranty of the valve is two years.",  # answers
        "バルブの保証は何年ですか。",
        "How long is the warranty of the valve? " * 30,
        "<|im_start|>system How long is the warranty of the valve?",
    ],
)
def test_what_a_model_writes_else_is_not_taken(written: str) -> None:
    assert checked_question(written, "And of the valve?", [SAID]) is None


def test_a_figure_of_the_question_must_stay() -> None:
    said = ["Question: What is the dose of colistin at 20 mL/min?"]
    assert checked_question("What is the dose of colistin at 20 mL/min?", "And at 60 mL/min?", said) is None
    good = "What is the dose of colistin at 60 mL/min?"
    assert checked_question(good, "And at 60 mL/min?", said) == good


def test_of_a_summary_the_sentences_that_were_said_are_taken() -> None:
    written = "The warranty of the pump is two years. The pump costs 500 yen. The valve is red."
    assert checked_summary(written, SAID, "en") == "The warranty of the pump is two years."
    assert checked_summary("The pump costs 500 yen.", SAID, "en") is None
    assert checked_summary("", SAID, "en") is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (
            "How long is the approval for colistin valid?",
            "For how long is the colistin approval valid?",
            True,
        ),
        ("What is the dose at 5 mg?", "What is the dose at 50 mg?", False),
        ("What is the dose for adults?", "What is the dose for children?", False),
        ("Which wards may children enter?", "Which wards may children not enter?", False),
        ("夜勤の手当はいくらですか。", "夜勤の手当はいくらになりますか。", True),
        ("子どもが入れる病棟はどこですか。", "子どもが入れない病棟はどこですか。", False),
        ("What is the dose for adults?", "成人の用量はいくらですか。", False),
    ],
)
def test_two_questions_are_the_same_only_with_the_same_figures_and_negations(
    one: str, other: str, same: bool
) -> None:
    assert same_question(one, other, 0.9) == same
    assert not same_question(one, other, 0.3)
