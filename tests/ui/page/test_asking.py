"""A question on its way: it ends by itself, by being stopped or by an error, and is kept once, whoever looks on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator

import pytest

from kernel.answer import AnswerEvent, AskEvent, PassagesEvent, TokenEvent
from retrieval.errors import TekioError
from tests.ui.conftest import make_answer
from ui.bridge import Bridge
from ui.page.asking import Asking
from ui.page.turn import Turn

ANSWER = make_answer()


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    made = Bridge()
    yield made
    made.close()


async def whole() -> AsyncGenerator[AskEvent, None]:
    yield PassagesEvent(passages=ANSWER.passages, variant="base", technique="zero_shot")
    yield TokenEvent(text="The ")
    yield TokenEvent(text="warranty")
    yield AnswerEvent(answer=ANSWER)


async def stuck() -> AsyncGenerator[AskEvent, None]:
    yield TokenEvent(text="The ")
    await asyncio.Event().wait()


async def broken() -> AsyncGenerator[AskEvent, None]:
    yield TokenEvent(text="The ")
    raise TekioError("no model; fetch it")


def test_an_answer_fills_its_turn_and_is_kept_without_anybody_looking_on(bridge: Bridge) -> None:
    kept: list[Turn] = []
    asking = Asking(bridge, Turn("How long?"), whole, kept.append)
    assert asking.wait(10)
    assert (asking.turn.answer, asking.turn.draft, asking.turn.reading) == (ANSWER, "The warranty", 1)
    assert kept == [asking.turn]
    asking.stop()  # too late, and no harm
    assert kept == [asking.turn]


def test_one_that_is_stopped_keeps_its_draft_and_ends_at_once(bridge: Bridge) -> None:
    kept: list[str] = []
    asking = Asking(bridge, Turn("How long?"), stuck, lambda turn: kept.append(turn.draft))
    assert not asking.wait(0.3)
    asking.stop()
    assert asking.wait(2)
    assert kept == ["The "]
    assert asking.turn.answer is None


def test_an_error_is_one_line_of_the_turn_which_is_kept_too(bridge: Bridge) -> None:
    kept: list[str] = []
    asking = Asking(bridge, Turn("How long?"), broken, lambda turn: kept.append(turn.error))
    assert asking.wait(10)
    assert kept == ["no model; fetch it"]


def test_what_cannot_be_kept_is_said_and_the_answer_is_shown(bridge: Bridge) -> None:
    def full(turn: Turn) -> None:
        raise TekioError("the disk is full")

    asking = Asking(bridge, Turn("How long?"), whole, full)
    assert asking.wait(10)
    assert (asking.turn.answer, asking.turn.said) == (ANSWER, "the disk is full")
