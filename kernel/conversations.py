"""Conversations as the ways in use them: each caller reaches their own alone, see `kernel.memories`.

They are forgotten there too, since what is remembered for a conversation alone goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kernel.answer import Answer
from kernel.composed.bounds import bounded
from plugins.memory.conversations import Conversation, ConversationStore, KeptTurn
from plugins.memory.records import check_name, owner_of, stamp
from plugins.memory.said import in_postgresql
from plugins.memory.turns import Turn, TurnStore
from retrieval.access import Caller
from retrieval.errors import NotFoundError
from retrieval.stores.opening import Place


class Conversations:
    """Blocks; call it from a thread. Nothing is opened before it is used."""

    def __init__(self, place: Place, folder: Path) -> None:
        """Put the stores together.

        Args:
            place: of the memories.
            folder: of conversations where the memories are not in PostgreSQL, which takes these too.
        """
        said = place if in_postgresql(place) else folder
        self._store = ConversationStore(said)
        self._turns = TurnStore(said)

    def listed(self, caller: Caller | None = None, *, search: str = "") -> list[Conversation]:
        """Return the caller's conversations, the newest first; with `search` those whose title or text holds it."""
        return self._store.listed(owner_of(caller), search=search)

    def find(self, conversation: str, *, caller: Caller | None = None) -> Conversation:
        """Return a conversation of the caller's.

        Raises:
            NotFoundError: the caller has none of this name.
        """
        found = self._store.find(owner_of(caller), conversation)
        if found is None:
            raise NotFoundError(f"there is no conversation '{check_name(conversation)[:60]}'")
        return found

    def read(self, conversation: str, *, caller: Caller | None = None) -> list[KeptTurn]:
        """Return the turns of a conversation of the caller's, in their order; none for one that is not there."""
        return self._store.read(owner_of(caller), conversation)

    def keep(
        self, conversation: str, answer: Answer, *, caller: Caller | None = None, more: Mapping[str, Any] = {}
    ) -> int:
        """Keep an answer as the next turn of a conversation of the caller's; return the turn's number.

        Args:
            conversation: its name.
            answer: is kept as it was shown, without its trace, and with reports of members and steps cut if long.
            caller: whose it is.
            more: what else its way in wants to find again, as JSON.
        """
        turn = Turn(answer.question, answer.answer, answer.asked or answer.question, answer.refused)
        data = {**more, "answer": bounded(answer).model_dump(mode="json", exclude={"trace"})}
        return self._turns.add(owner_of(caller), conversation, turn, stamp(datetime.now(UTC)), data=data)

    def keep_unfinished(
        self,
        conversation: str,
        question: str,
        draft: str,
        *,
        caller: Caller | None = None,
        more: Mapping[str, Any] = {},
    ) -> int:
        """Keep a question that came to no answer, with what there was of it; return the turn's number."""
        turn = Turn(question, draft, question)
        moment = stamp(datetime.now(UTC))
        return self._turns.add(
            owner_of(caller), conversation, turn, moment, data={**more, "draft": draft}, finished=False
        )

    def cut(self, conversation: str, first: int, *, caller: Caller | None = None) -> int:
        """Delete the turns of a conversation of the caller's from one on, by its number; return how many."""
        return self._store.cut(owner_of(caller), conversation, first)

    def rename(self, conversation: str, title: str, *, caller: Caller | None = None) -> Conversation:
        """Give a conversation of the caller's a title; an empty one leaves it with its first question.

        Raises:
            NotFoundError: the caller has none of this name.
            UsageError: the title is too long, or cannot be printed.
        """
        self._store.rename(owner_of(caller), conversation, title)
        return self.find(conversation, caller=caller)


def kept_answer(kept: KeptTurn) -> Answer | None:
    """Return the answer of a turn as it was shown; None for a turn without one, or one that is of another Tekio."""
    data = kept.data.get("answer")
    if not data:
        return None
    try:
        return Answer.model_validate(data)
    except ValueError:
        return None
