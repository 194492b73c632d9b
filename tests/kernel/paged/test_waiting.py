"""The line before the model."""

from __future__ import annotations

from collections import Counter

import pytest

from kernel.chat.generation import Sampling
from kernel.chat.paged.choosing import Chooser
from kernel.chat.paged.request import Request
from kernel.chat.paged.waiting import WaitingLine
from retrieval.errors import BusyError


def request(user: str, asked: float) -> Request:
    sampling = Sampling()
    made = Request([1, 2], 2, sampling, (0,), lambda ids: "", Chooser(sampling), user=user)
    made.asked = asked
    return made


def served(line: WaitingLine, slots: int) -> list[str]:
    """Take who is next until so many are at work."""
    at_work: Counter[str] = Counter()
    order: list[str] = []
    while len(order) < slots and (following := line.next(at_work)) is not None:
        line.remove([following])
        at_work[following.user] += 1
        order.append(following.user)
    return order


def test_one_who_asks_much_does_not_keep_the_others_waiting() -> None:
    line = WaitingLine(20)
    for number in range(6):
        line.add(request("busy", number))
    line.add(request("quiet", 10))
    assert served(line, 3) == ["busy", "quiet", "busy"]


def test_of_one_user_and_of_equals_the_longest_waiting_is_next() -> None:
    line = WaitingLine(20)
    line.add(request("second", 2))
    line.add(request("first", 1))
    line.add(request("second", 3))
    assert served(line, 3) == ["first", "second", "second"]


def test_a_full_line_takes_nobody_and_says_when_to_come_again() -> None:
    line = WaitingLine(1)
    line.add(request("one", 1))
    with pytest.raises(BusyError, match="1 questions are waiting") as caught:
        line.add(request("two", 2))
    assert caught.value.retry_after > 0
    assert [each.user for each in line] == ["one"]


def test_an_empty_line_has_nobody_next() -> None:
    assert WaitingLine(1).next({}) is None
