from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.answers.texts import contains, exact_match, token_f1, without_markers, words


@pytest.mark.parametrize(
    ("text", "expected", "language", "f1", "exact"),
    [
        ("The Denver Broncos!", ("Denver Broncos",), "en", 1.0, 1.0),
        ("Denver", ("Denver Broncos",), "en", 2 / 3, 0.0),
        ("nothing of it", ("Denver Broncos",), "en", 0.0, 0.0),
        ("a b b", ("b b c",), "en", 0.8, 0.0),  # an article does not count, a double does
        ("２４時間以内", ("24時間以内",), "ja", 1.0, 1.0),
        ("「梅雨」です。", ("梅雨",), "ja", 2 / 3, 0.0),
        ("梅雨。", ("「梅雨」",), "ja", 1.0, 1.0),
        ("", ("Denver",), "en", 0.0, 0.0),
        ("x", (), "en", 0.0, 0.0),
    ],
)
def test_words_are_compared_as_the_sets_do(
    text: str, expected: tuple[str, ...], language: str, f1: float, exact: float
) -> None:
    assert token_f1(text, expected, language) == pytest.approx(f1)
    assert exact_match(text, expected, language) == exact


def test_the_nearest_of_several_answers_counts() -> None:
    assert token_f1("1949", ("in October 1949", "1949"), "en") == 1.0


@given(st.text(max_size=60), st.sampled_from(["en", "ja"]))
def test_a_text_is_its_own_best_answer(text: str, language: str) -> None:
    if words(text, language):
        assert token_f1(text, (text,), language) == 1.0
        assert exact_match(text, (text,), language) == 1.0


@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(["en", "ja"]))
def test_f1_is_a_share_and_the_same_both_ways(first: str, second: str, language: str) -> None:
    there, back = token_f1(first, (second,), language), token_f1(second, (first,), language)
    assert there == pytest.approx(back)
    assert 0 <= there <= 1


def test_only_markers_of_citations_are_taken_out() -> None:
    assert without_markers("It is so [1]. See [3].", [1]) == "It is so. See [3]."
    assert contains("期間は ２４ 時間", ("24時間",)) == 1.0
    assert contains("anything", ("",)) == 0.0
