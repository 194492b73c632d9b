"""What people said of answers: kept as it was shown, for whoever makes training data of it.

An approved answer is a row with the rating `up`, or one with a correction, whose text is then the approved one. A
preference pair is an approved and a rejected answer to the same question of the same user.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from plugins.memory.records import encodable
from plugins.memory.said import said_in
from retrieval.errors import UsageError
from retrieval.stores.opening import Place

Rating = Literal["up", "down"]
RATINGS = ("up", "down")


@dataclass(frozen=True, slots=True)
class Feedback:
    """A rating of an answer. `data` is the answer's JSON, with `comment` and `correction`; `at` is ISO 8601."""

    id: int
    user: str
    at: str
    rating: Rating
    question: str
    data: Mapping[str, Any]

    @property
    def approved(self) -> str:
        """The answer that is right, by what was said; empty for none."""
        corrected = str(self.data.get("correction") or "")
        return corrected or (str(self.data["answer"]["answer"]) if self.rating == "up" else "")

    @property
    def rejected(self) -> str:
        """The answer that is wrong, by what was said; empty for none."""
        return str(self.data["answer"]["answer"]) if self.rating == "down" else ""


class FeedbackStore:
    """The feedback of all users in one place."""

    def __init__(self, place: Place) -> None:
        self._said = said_in(place)

    def add(self, owner: str, rating: str, question: str, data: Mapping[str, Any], at: str) -> int:
        """Keep a rating; return its number.

        Raises:
            UsageError: the rating is none, or nobody is known who gives it.
        """
        if rating not in RATINGS:
            raise UsageError(f"a rating is {' or '.join(RATINGS)}, not '{rating[:50]}'")
        if not owner:
            raise UsageError("feedback is kept for a user, who must be named")
        text = encodable(json.dumps(dict(data), ensure_ascii=False))
        with self._said.connection() as connection:
            query = 'INSERT INTO feedback ("user", at, rating, question, data) VALUES (?, ?, ?, ?, ?) RETURNING id'
            ((made,),) = connection.execute(query, (owner, at, rating, encodable(question), text)).fetchall()
        return int(made)

    def read(self, owner: str | None) -> list[Feedback]:
        """Return what a user said, in its order; None returns what everybody said, for who owns the machine."""
        if owner == "" or not self._said.is_there():
            return []
        where, values = ("", ()) if owner is None else (' WHERE "user" = ?', (owner,))
        with self._said.connection() as connection:
            query = f'SELECT id, "user", at, rating, question, data FROM feedback{where} ORDER BY id'  # noqa: S608
            rows = connection.execute(query, values).fetchall()
        return [Feedback(row[0], row[1], row[2], row[3], row[4], json.loads(row[5])) for row in rows]

    def page(
        self, owner: str | None, *, rating: str = "", limit: int, offset: int = 0
    ) -> tuple[list[Feedback], int]:
        """Return some of what a user, or for None everybody, said, the newest first, and how much there is in all.

        Args:
            owner: whose it is.
            rating: only of this one; empty for all.
            limit: how many at most.
            offset: how many newer ones are left out.
        """
        if owner == "" or not self._said.is_there():
            return [], 0
        narrowed = [(name, value) for name, value in (('"user"', owner), ("rating", rating)) if value]
        where = "".join(f" {'AND' if n else 'WHERE'} {name} = ?" for n, (name, _) in enumerate(narrowed))
        values = tuple(value for _, value in narrowed)
        with self._said.connection() as connection:
            ((total,),) = connection.execute(f"SELECT count(*) FROM feedback{where}", values).fetchall()  # noqa: S608
            wanted = f'SELECT id, "user", at, rating, question, data FROM feedback{where}'  # noqa: S608
            query = f"{wanted} ORDER BY id DESC LIMIT ? OFFSET ?"
            rows = connection.execute(query, (*values, limit, offset)).fetchall()
        return [Feedback(row[0], row[1], row[2], row[3], row[4], json.loads(row[5])) for row in rows], int(
            total
        )


def preference_pairs(rows: Sequence[Feedback]) -> list[tuple[str, str, str]]:
    """Return (question, chosen answer, rejected answer), the newest approved answer of each with each rejected one."""
    approved: dict[tuple[str, str], str] = {}
    for row in rows:
        if row.approved:
            approved[row.user, row.question] = row.approved
    pairs = [
        (row.question, approved[row.user, row.question], row.rejected)
        for row in rows
        if row.rejected and approved.get((row.user, row.question), row.rejected) != row.rejected
    ]
    return list(dict.fromkeys(pairs))
