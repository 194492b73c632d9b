"""The turns that came before a question, as they are given with it: checked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from plugins.memory.records import encodable
from retrieval.errors import UsageError
from retrieval.queries import MAX_QUERY

FollowUps = Literal["off", "rules", "model"]
"""How a question that leans on the turns before it is made to stand alone."""
WAYS: tuple[str, ...] = get_args(FollowUps)

MOST_TURNS = 2000
MOST_ANSWER = 40_000
MOST_CHARACTERS = 4_000_000


@dataclass(frozen=True, slots=True)
class PastTurn:
    """A question with its answer; `asked` is the question as it was made to stand alone, where that is known."""

    question: str
    answer: str = ""
    asked: str = ""


GivenTurn = PastTurn | tuple[str, str] | tuple[str, str, str]


def check_history(turns: Sequence[GivenTurn]) -> tuple[PastTurn, ...]:
    """Return the turns of a conversation, oldest first, those without a question left out.

    Raises:
        UsageError: there are too many, or one is too long.
    """
    if len(turns) > MOST_TURNS:
        raise UsageError(f"a history has {MOST_TURNS:,} turns at most, not {len(turns):,}: send the newest")
    found = []
    size = 0
    for given in turns:
        turn = given if isinstance(given, PastTurn) else PastTurn(*given)
        turn = PastTurn(*(encodable(text).strip() for text in (turn.question, turn.answer, turn.asked)))
        size += len(turn.question) + len(turn.answer) + len(turn.asked)
        if max(len(turn.question), len(turn.asked)) > MAX_QUERY or len(turn.answer) > MOST_ANSWER:
            raise UsageError(
                f"a turn of the history has a question of {MAX_QUERY:,} and an answer of {MOST_ANSWER:,} characters "
                "at most: shorten it"
            )
        if turn.question:
            found.append(turn)
    if size > MOST_CHARACTERS:
        raise UsageError(
            f"the history has {size:,} characters, {MOST_CHARACTERS:,} are the most: send the newest turns"
        )
    return tuple(found)


def check_follow_ups(way: str) -> FollowUps:
    """Return the way in which follow-up questions are understood.

    Raises:
        UsageError: there is none of this name.
    """
    if way not in WAYS:
        raise UsageError(f"follow_ups can be {', '.join(WAYS)}, not '{way}'")
    return way  # type: ignore[return-value]
