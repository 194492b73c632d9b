"""Conversations that have a name: their turns, kept for whoever goes on with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plugins.memory.records import check_name, encodable
from plugins.memory.said import said_in, searchable
from retrieval.errors import UsageError
from retrieval.stores.opening import Place

MOST_TURNS = 2000
"""Turns of a conversation that are kept; the oldest go first."""

# In quotes, since `user` alone is the name of the session's own in PostgreSQL.
_READ = """SELECT question, answer, asked, refused FROM turns
    WHERE "user" = ? AND conversation = ? AND finished = 1 ORDER BY id DESC LIMIT ?"""
_ADD = """INSERT INTO turns ("user", conversation, question, asked, answer, refused, at, data, finished, words)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"""
_TRIM = """DELETE FROM turns WHERE "user" = ? AND conversation = ?
    AND id <= (SELECT max(id) FROM turns WHERE "user" = ? AND conversation = ?) - ?
    AND id NOT IN (SELECT id FROM turns WHERE "user" = ? AND conversation = ? ORDER BY id DESC LIMIT ?)"""
_NAMES = """SELECT conversation, count(*) FROM turns WHERE "user" = ? GROUP BY conversation ORDER BY max(id) DESC"""
_FORGET = """DELETE FROM turns WHERE "user" = ? AND conversation = ?"""
_FORGET_TITLE = """DELETE FROM titles WHERE "user" = ? AND conversation = ?"""


@dataclass(frozen=True, slots=True)
class Turn:
    """A question of a conversation with its answer; `asked` is the question as it was made to stand alone."""

    question: str
    answer: str
    asked: str = ""
    refused: bool = False


class TurnStore:
    """The turns of all users' conversations in one place; each method reaches those of one user alone."""

    def __init__(self, place: Place) -> None:
        self._said = said_in(place)

    def read(self, owner: str, conversation: str, *, most: int = MOST_TURNS) -> list[Turn]:
        """Return the newest turns of a conversation, in their order; none for one that is not there."""
        name = self._named(conversation)
        if not owner or not self._said.is_there():
            return []
        with self._said.connection() as connection:
            rows = connection.execute(
                _READ,
                (owner, name, most),
            ).fetchall()
        return [
            Turn(question, answer, asked, bool(refused)) for question, answer, asked, refused in rows[::-1]
        ]

    def add(
        self,
        owner: str,
        conversation: str,
        turn: Turn,
        at: str,
        *,
        data: Mapping[str, Any] | None = None,
        finished: bool = True,
    ) -> int:
        """Keep a turn; return its number.

        Args:
            owner: whose it is.
            conversation: its name.
            turn: the question with its answer.
            at: when, ISO 8601.
            data: what was shown of it, as JSON.
            finished: whether it came to an answer; `read` leaves out the others, which nobody can go on from.

        Raises:
            UsageError: the conversation has no name, or nobody is known whose it is.
        """
        name = self._named(conversation)
        if not owner:
            raise UsageError("a conversation is kept for a user, who must be named")
        texts = [encodable(text) for text in (turn.question, turn.asked, turn.answer)]
        shown = encodable(json.dumps(dict(data), ensure_ascii=False)) if data else ""
        words = searchable(f"{texts[0]}\n{texts[2]}")
        with self._said.connection() as connection:
            ((made,),) = connection.execute(
                _ADD,
                (owner, name, *texts, int(turn.refused), at, shown, int(finished), words),
            ).fetchall()
            connection.execute(
                _TRIM,
                (owner, name, owner, name, MOST_TURNS, owner, name, MOST_TURNS),
            )
        return int(made)

    def names(self, owner: str) -> dict[str, int]:
        """Return a user's conversations, each with the number of its turns."""
        if not owner or not self._said.is_there():
            return {}
        with self._said.connection() as connection:
            rows = connection.execute(
                _NAMES,
                (owner,),
            ).fetchall()
        return {str(name): int(count) for name, count in rows}

    def forget(self, owner: str, conversation: str) -> int:
        """Delete a conversation; return how many turns it had."""
        name = self._named(conversation)
        if not owner or not self._said.is_there():
            return 0
        with self._said.connection() as connection:
            connection.execute(_FORGET_TITLE, (owner, name))
            return int(connection.execute(_FORGET, (owner, name)).rowcount)

    @staticmethod
    def _named(conversation: str) -> str:
        name = check_name(conversation)
        if not name:
            raise UsageError("a conversation needs a name")
        return name
