"""Conversations as people look for them: listed by what they are about, searched, read as they were shown, renamed.

They are the turns of `plugins.memory.turns`, of which this reads what was shown, beside a title for each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plugins.memory.records import check_name, encodable
from plugins.memory.said import said_in, searchable
from plugins.memory.turns import Turn
from retrieval.errors import NotFoundError
from retrieval.stores.opening import Place

MOST_LISTED = 200
MOST_SEARCHED = 500
"""Characters of what is searched for."""

_LIST = """SELECT t.conversation, t.turns, t.at, f.question, coalesce(titles.title, '')
    FROM (SELECT conversation, count(*) AS turns, max(at) AS at, min(id) AS first, max(id) AS last
          FROM turns WHERE "user" = ? GROUP BY conversation) t
    JOIN turns f ON f.id = t.first
    LEFT JOIN titles ON titles."user" = ? AND titles.conversation = t.conversation"""
_SEARCHED = """ WHERE titles.words LIKE ? ESCAPE '!' OR t.conversation IN
    (SELECT conversation FROM turns WHERE "user" = ? AND words LIKE ? ESCAPE '!')"""
_ONE = " WHERE t.conversation = ?"
_ORDER = " ORDER BY t.last DESC LIMIT ?"
_READ = """SELECT id, question, answer, asked, refused, at, data, finished FROM turns
    WHERE "user" = ? AND conversation = ? ORDER BY id"""
_CUT = """DELETE FROM turns WHERE "user" = ? AND conversation = ? AND id >= ?"""
_UNTITLE = """DELETE FROM titles WHERE "user" = ? AND conversation = ?"""
_TITLE = """INSERT INTO titles ("user", conversation, title, words) VALUES (?, ?, ?, ?)"""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation of a list. `title` is its user's own, else the first question; `at` is that of its last turn."""

    name: str
    title: str
    turns: int
    at: str


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A turn as it was shown: `data` is what its way in kept of it, `finished` whether it came to an answer."""

    id: int
    turn: Turn
    at: str
    data: Mapping[str, Any] = field(default_factory=dict)
    finished: bool = True


class ConversationStore:
    """The conversations of all users in one place; each method reaches those of one user alone."""

    def __init__(self, place: Place) -> None:
        self._said = said_in(place)

    def listed(self, owner: str, *, search: str = "", most: int = MOST_LISTED) -> list[Conversation]:
        """Return a user's conversations, the newest first; with `search` those whose title or text holds it."""
        if not owner or not self._said.is_there():
            return []
        wanted = searchable(encodable(search[:MOST_SEARCHED])).strip()
        values: list[Any] = [owner, owner]
        query = _LIST
        if wanted:
            escaped = wanted.replace("!", "!!").replace("%", "!%").replace("_", "!_")
            query += _SEARCHED
            values += [f"%{escaped}%", owner, f"%{escaped}%"]
        with self._said.connection() as connection:
            rows = connection.execute(query + _ORDER, (*values, most)).fetchall()
        return [_conversation(row) for row in rows]

    def find(self, owner: str, conversation: str) -> Conversation | None:
        """Return one conversation; None where the user has none of this name."""
        name = check_name(conversation)
        if not owner or not self._said.is_there():
            return None
        with self._said.connection() as connection:
            rows = connection.execute(_LIST + _ONE, (owner, owner, name)).fetchall()
        return _conversation(rows[0]) if rows else None

    def read(self, owner: str, conversation: str) -> list[KeptTurn]:
        """Return all turns of a conversation, in their order; none for one that is not there."""
        name = check_name(conversation)
        if not owner or not self._said.is_there():
            return []
        with self._said.connection() as connection:
            rows = connection.execute(_READ, (owner, name)).fetchall()
        return [
            KeptTurn(
                int(number),
                Turn(question, answer, asked, bool(refused)),
                at,
                json.loads(data) if data else {},
                bool(finished),
            )
            for number, question, answer, asked, refused, at, data, finished in rows
        ]

    def cut(self, owner: str, conversation: str, first: int) -> int:
        """Delete the turns of a conversation from one on, by its number; return how many."""
        name = check_name(conversation)
        if not owner or not self._said.is_there():
            return 0
        with self._said.connection() as connection:
            return int(connection.execute(_CUT, (owner, name, first)).rowcount)

    def rename(self, owner: str, conversation: str, title: str) -> None:
        """Give a conversation a title; an empty one takes it away.

        Raises:
            NotFoundError: the user has no such conversation.
            UsageError: the title is too long or cannot be printed.
        """
        name, title = check_name(conversation), check_name(title, what="conversation's title")
        if self.find(owner, name) is None:
            raise NotFoundError(f"there is no conversation '{name[:60]}'")
        with self._said.connection() as connection:
            connection.execute(_UNTITLE, (owner, name))
            if title:
                connection.execute(_TITLE, (owner, name, title, searchable(title)))


def _conversation(row: tuple[Any, ...]) -> Conversation:
    name, turns, at, question, title = row
    return Conversation(str(name), str(title or " ".join(str(question).split())), int(turns), str(at))
