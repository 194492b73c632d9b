"""Figures in one form, and drafts that are voted on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.answering.folded import denials, figure_values, figures
from kernel.answering.vote import elect


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("fired at 1,240 ℃ for nine hours", {"1240 °c", "9 hour"}),
        ("１２４０度で9時間", {"1240 °c", "9 hour"}),
        ("1 May 2024", {"2024-05-01"}),
        ("May 1st, 2024", {"2024-05-01"}),
        ("2024年5月1日", {"2024-05-01"}),
        ("令和6年5月1日", {"2024-05-01"}),
        ("3 Jul 2024", {"2024-07-03"}),
        ("昭和元年12月25日", {"1926-12-25"}),
        ("2024/05/01", {"2024-05-01"}),
        ("5 mg", {"5 mg"}),
        ("50mg", {"50 mg"}),
        ("十二か月以内に三回", {"12 month", "3 回"}),
        ("16時30分", {"16:30"}),
        ("16:30", {"16:30"}),
        ("0.50 %", {"0.5 %"}),
        ("no figure at all", set()),
    ],
)
def test_figures_have_one_form(text: str, values: set[str]) -> None:
    assert figure_values(text) == values


@given(st.text(max_size=120))
def test_a_figure_stands_where_it_says(text: str) -> None:
    for figure in figures(text):
        assert 0 <= figure.start < figure.end <= len(text)
        assert figure.value


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("It is not allowed.", 1),
        ("It's allowed; don't wait.", 1),
        ("See No. 5.", 0),
        ("使用できない。", 1),
        ("確認しなければならない。", 0),
        ("使用できる。", 0),
        ("立入禁止", 1),
    ],
)
def test_denials_are_counted_and_what_looks_like_one_is_not(text: str, count: int) -> None:
    assert denials(text) == count


def flat(answer: str) -> float:
    return 0.5


def test_the_answer_of_the_most_drafts_is_taken_with_its_share() -> None:
    answers = [
        "It lasts 24 months [1].",
        "24 months [1].",
        "It lasts 12 months [2].",
        "The term is 24 months.",
    ]
    elected = elect(answers, "How long does the warranty last?", flat)
    assert answers[elected.place] == "It lasts 24 months [1]."
    assert elected.agreement == 0.75


def test_another_figure_or_a_negation_is_another_answer() -> None:
    assert elect(["Give 5 mg [1].", "Give 50 mg [1].", "Give 50 mg."], "How much?", flat).place == 1
    answers = ["The door may be opened.", "The door may not be opened.", "The door may not be opened [1]."]
    assert elect(answers, "May it?", flat).place == 1
    assert elect(["開けてよい。", "開けてはいけない。", "開けてはいけません[1]。"], "扉は？", flat).place == 1


def test_a_tie_goes_to_the_best_supported() -> None:
    support = {"12 months.": 0.2, "24 months.": 0.9}
    elected = elect(["12 months.", "24 months."], "How long?", support.__getitem__)
    assert (elected.place, elected.agreement) == (1, 0.5)


def test_drafts_that_do_not_know_vote_together_and_empty_ones_not_at_all() -> None:
    answers = ["", "I don't know.", "I don't know the term.", "24 months.", " [1] "]
    elected = elect(answers, "How long?", flat)
    assert answers[elected.place].startswith("I don't know")
    assert elected.agreement == 0.4
    assert elect(["", " "], "How long?", flat).agreement == 0.0


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_there_is_always_one_elected_and_a_share_that_its_voters_are(answers: list[str]) -> None:
    elected = elect(answers, "Why?", flat)
    assert 0 <= elected.place < len(answers)
    assert round(elected.agreement * len(answers)) in range(len(answers) + 1)
