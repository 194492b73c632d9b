"""What policies decided, with the probability of it, and what can be told of the answer: numbers, and no text.

Rows are added and never changed, and nobody's name is in one. The oldest of a policy go once there are too many.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plugins.memory.said import said_in
from retrieval.stores.opening import Place

MOST = 20_000
"""Decisions of one policy that are kept: some 20 MB."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision. `name` is what an answer has of it, `at` is ISO 8601, `data` what was decided and what came of it."""

    name: str
    at: str
    data: Mapping[str, Any]
    clicked: bool = False


class DecisionStore:
    """The decisions of all policies in one place. Blocks."""

    def __init__(self, place: Place, *, most: int = MOST) -> None:
        self._said = said_in(place)
        self._most = most

    def add(self, policy: str, name: str, data: Mapping[str, Any], at: str) -> int:
        """Keep a decision of a policy; return its number."""
        with self._said.connection() as connection:
            query = "INSERT INTO decisions (policy, decision, at, data) VALUES (?, ?, ?, ?) RETURNING id"
            ((made,),) = connection.execute(query, (policy, name, at, json.dumps(dict(data)))).fetchall()
            if made % 100 == 0:
                self._forget_oldest(connection, policy)
        return int(made)

    def click(self, name: str, at: str) -> bool:
        """Note that a source of the answer of a decision was opened, once; say whether there is such a decision."""
        if not self._said.is_there():
            return False
        with self._said.connection() as connection:
            query = "SELECT decision FROM decisions WHERE decision = ?"
            if not connection.execute(query, (name,)).fetchall():
                return False
            query = "INSERT INTO clicks (decision, at) VALUES (?, ?) ON CONFLICT (decision) DO NOTHING"
            connection.execute(query, (name, at))
        return True

    def read(self, policy: str, *, since: str = "") -> list[Decision]:
        """Return the decisions of a policy from a time on, in their order."""
        if not self._said.is_there():
            return []
        query = (
            "SELECT d.decision, d.at, d.data, c.at FROM decisions d LEFT JOIN clicks c ON c.decision = d.decision "
            "WHERE d.policy = ? AND d.at >= ? ORDER BY d.id"
        )
        with self._said.connection() as connection:
            rows = connection.execute(query, (policy, since)).fetchall()
        return [Decision(row[0], row[1], json.loads(row[2]), row[3] is not None) for row in rows]

    def _forget_oldest(self, connection: Any, policy: str) -> None:
        query = "SELECT id FROM decisions WHERE policy = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
        found = connection.execute(query, (policy, self._most)).fetchall()
        if found:
            connection.execute("DELETE FROM decisions WHERE policy = ? AND id <= ?", (policy, found[0][0]))
            connection.execute("DELETE FROM clicks WHERE decision NOT IN (SELECT decision FROM decisions)")
