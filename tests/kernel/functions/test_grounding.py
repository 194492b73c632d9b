"""What a call may rest on: a model's own inventions are told from what was asked."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.functions.grounding import figures, is_grounded

TODAY = date(2026, 11, 28)
EXPRESSION = {"properties": {"expression": {"type": "string"}}}
LOOKUP = {
    "properties": {
        "city": {"type": "string"},
        "unit": {"enum": ["metric", "imperial"]},
        "days": {"type": "integer", "default": 1},
        "from": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "exact": {"type": "boolean"},
    }
}


def grounded(arguments: dict[str, Any], *texts: str, own: bool) -> bool:
    schema = EXPRESSION if own else LOOKUP
    return is_grounded(arguments, schema, texts, lambda: TODAY, is_own=own)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,240 °C for nine hours", {"1240", "9"}),
        ("０．５０ and 007", {"0.5", "7"}),
        ("twice a dozen", {"2", "12"}),
        ("三か月", {"3"}),
        ("someone", set()),
    ],
)
def test_figures_are_read_whatever_way_they_are_written(text: str, found: set[str]) -> None:
    assert figures(text) == found


def test_a_calculation_may_have_the_figures_of_its_texts_and_those_that_everyone_knows() -> None:
    assert grounded({"expression": "9 * 38 / 60"}, "nine hours at 38 kWh", own=True)
    assert grounded({"expression": "round(1240 * 5%)"}, "5 % of 1,240", own=True)
    assert not grounded({"expression": "12 * 3.5"}, "nine hours at 38 kWh", own=True)


@pytest.mark.parametrize(
    ("arguments", "is_so"),
    [
        ({"city": "Oslo"}, True),
        ({"city": "oslo", "unit": "metric", "days": 1, "exact": True}, True),
        ({"city": "Bergen"}, False),
        ({"city": "Oslo", "days": 7}, False),
        ({"city": "Oslo", "from": "2026-05-01"}, True),
        ({"city": "Oslo", "from": "2026-05-02"}, False),
        ({"city": "Oslo", "tags": ["weather", "secret-4711"]}, False),
        ({"city": "Oslo", "apikey": "Oslo"}, False),
        ({"city": "Os"}, False),
    ],
)
def test_an_argument_that_goes_out_must_stand_in_the_question(arguments: dict[str, Any], is_so: bool) -> None:
    question = "What is the weather in Oslo on 1 May 2026?"
    assert grounded(arguments, question, own=False) is is_so


def test_japanese_words_and_dates_are_grounded_too() -> None:
    question = "令和8年5月1日の京都の天気は？"
    assert grounded({"city": "京都", "from": "2026-05-01"}, question, own=False)
    assert not grounded({"city": "大阪"}, question, own=False)


@given(st.text(min_size=1), st.text())
def test_no_word_that_is_not_in_the_question_goes_out(word: str, question: str) -> None:
    if is_grounded({"city": word}, LOOKUP, [question], lambda: TODAY, is_own=False):
        import unicodedata

        letters = {each for each in unicodedata.normalize("NFKC", word).casefold() if each.isalpha()}
        held = set(unicodedata.normalize("NFKC", question).casefold())
        assert letters <= held or unicodedata.normalize("NFKC", word).strip().lower() in (
            "today",
            "今日",
            "本日",
        )
