"""Threads that ask at once are served together, each with its own result."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from retrieval.gathering import Gathering


class Doubler:
    """Doubles numbers; the first call waits until it is let go."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.go = threading.Event()
        self.began = threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.calls.append(len(items))
        self.began.set()
        if len(self.calls) == 1:
            assert self.go.wait(10)
        if any(item < 0 for item in items):
            raise ValueError("negative")
        return [2 * item for item in items]


def asked_at_once(
    gathering: Gathering[int, int], doubler: Doubler, items: Sequence[int]
) -> list[int | Exception]:
    def ask(item: int) -> int | Exception:
        try:
            return gathering(item)
        except ValueError as error:
            return error

    with ThreadPoolExecutor(len(items)) as pool:
        first = pool.submit(ask, items[0])
        assert doubler.began.wait(10)
        others = [pool.submit(ask, item) for item in items[1:]]
        while len(gathering._waiting) < len(items) - 1:
            pass
        doubler.go.set()
        return [first.result(10), *(each.result(10) for each in others)]


def test_those_that_waited_are_computed_together_and_each_gets_its_own() -> None:
    doubler = Doubler()
    gathering = Gathering(doubler, threading.Lock(), most=8)
    assert asked_at_once(gathering, doubler, range(1, 13)) == [2 * item for item in range(1, 13)]
    assert doubler.calls == [1, 8, 2, 1]


def test_one_that_is_wrong_fails_alone() -> None:
    doubler = Doubler()
    gathering = Gathering(doubler, threading.Lock(), most=8)
    found = asked_at_once(gathering, doubler, [1, 2, -3, 4, 5])
    assert isinstance(found[2], ValueError)
    assert [each for each in found if not isinstance(each, ValueError)] == [2, 4, 8, 10]


def test_a_call_after_a_failure_is_served() -> None:
    doubler = Doubler()
    doubler.go.set()
    gathering = Gathering(doubler, threading.Lock(), most=8)
    with pytest.raises(ValueError, match="negative"):
        gathering(-1)
    assert gathering(4) == 8
