"""Guesses from the text itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernel.chat.paged.guessing import LONGEST_MATCH, Lookup, Pace

IDS = st.lists(st.integers(0, 3), max_size=40)


def naive(ids: list[int], most: int) -> list[int]:
    """What followed the last earlier place of the longest end that stood there before."""
    for length in range(min(LONGEST_MATCH, len(ids)), 0, -1):
        end = ids[-length:]
        for start in range(len(ids) - length - 1, -1, -1):
            if ids[start : start + length] == end:
                return ids[start + length : start + length + most]
    return []


@given(prompt=IDS, written=IDS, most=st.integers(1, 8))
def test_guesses_are_what_followed_the_last_time_the_end_was_seen(
    prompt: list[int], written: list[int], most: int
) -> None:
    lookup = Lookup(prompt)
    for token in written:
        lookup.extend([token])
    assert lookup.guess(most) == naive(prompt + written, most)


def test_a_quotation_is_guessed_on() -> None:
    assert Lookup([7, 1, 2, 3, 4, 5, 9, 1, 2]).guess(3) == [3, 4, 5]


def test_an_end_that_is_too_short_to_be_sure_of_is_not_guessed_on() -> None:
    lookup = Lookup([7, 1, 2, 9, 1])
    assert (lookup.guess(2), lookup.guess(2, least=2)) == ([2, 9], [])
    lookup.extend([2])
    assert lookup.guess(2, least=2) == [9, 1]


def test_a_text_without_repetition_is_not_guessed() -> None:
    assert Lookup([1, 2, 3]).guess(4) == []
    assert Lookup([]).guess(4) == []


def test_more_is_guessed_while_guesses_hold_and_less_when_they_do_not() -> None:
    pace = Pace(8)
    for _ in range(5):
        pace.learn(pace.now, pace.now)
    assert pace.now == 8
    for _ in range(5):
        pace.learn(pace.now, 0)
    assert pace.now == 2
    assert Pace(0).now == 0
