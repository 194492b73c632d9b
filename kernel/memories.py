"""What is remembered for whom, as the ways in use it: memories, feedback, conversations.

Every method takes the caller and reaches what is that caller's alone: None is who owns the machine, whose memory is
apart from that of every user with a name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kernel.answer import Answer
from kernel.conversation.context import without_markers
from plugins.memory.decisions import DecisionStore
from plugins.memory.feedback import Feedback, FeedbackStore, preference_pairs
from plugins.memory.records import MAX_ANSWER, MAX_TEXT, Cited, Memory, check_text, owner_of, stamp
from plugins.memory.said import in_postgresql
from plugins.memory.store import MemoryStore, Recalled
from plugins.memory.turns import Turn, TurnStore
from retrieval.access import Caller
from retrieval.embedding import Embedder
from retrieval.errors import IndexMissingError, UsageError
from retrieval.stores.opening import Place

Contents = Callable[[Sequence[str], Caller | None], Mapping[str, frozenset[str]]]
"""Gives the hashes of what documents hold, by name, of those that a caller may read."""
Quote = Callable[[int, int, int, Caller | None], str | None]
"""Gives a span of the document that a passage is of, if a caller may read it."""


class Memories:
    """Blocks; call it from a thread."""

    def __init__(
        self,
        place: Place,
        folder: Path,
        embedder: Callable[[], Embedder],
        contents: Contents,
        quote: Quote,
    ) -> None:
        """Put the stores together; nothing is opened before it is used.

        Args:
            place: of the memories.
            folder: of conversations and feedback, where the memories are not in PostgreSQL, which takes these too.
            embedder: gives the embedding model.
            contents: see `Contents`.
            quote: see `Quote`.
        """
        self.store = MemoryStore(place, embedder)
        said = place if in_postgresql(place) else folder
        self._turns = TurnStore(said)
        self._feedback = FeedbackStore(said)
        self._decisions = DecisionStore(said)
        self._contents = contents
        self._quote = quote

    # -- memories -----------------------------------------------------------------------------------------

    def listed(self, caller: Caller | None = None, *, conversation: str | None = None) -> list[Memory]:
        """Return the caller's memories, the newest first."""
        return self.store.listed(owner_of(caller), conversation=conversation)

    def find(self, beginning: str, *, caller: Caller | None = None) -> Memory:
        """Return the one memory of the caller's whose id begins so.

        Raises:
            UsageError: there is none, or more than one.
        """
        found = [memory for memory in self.listed(caller) if beginning and memory.id.startswith(beginning)]
        if len(found) != 1:
            said = "there is no memory" if not found else f"{len(found)} memories have an id that begins with"
            raise UsageError(f"{said} '{beginning[:60]}'; `tekio memory list` lists them")
        return found[0]

    def add(
        self,
        text: str,
        *,
        caller: Caller | None = None,
        answer: str = "",
        conversation: str = "",
        expires: str = "",
    ) -> Memory:
        """Remember a fact, or a question with its answer, as the caller asks for.

        Raises:
            UsageError: something of it is wrong, or the caller is unknown.
        """
        return self.store.add(
            owner_of(caller),
            text,
            kind="answer" if answer else "fact",
            answer=answer,
            conversation=conversation,
            expires=expires,
        )

    def edit(
        self,
        memory_id: str,
        *,
        caller: Caller | None = None,
        text: str | None = None,
        answer: str | None = None,
        expires: str | None = None,
    ) -> Memory:
        """Change a memory of the caller's; what is None stays.

        Raises:
            UsageError: the caller has none of this id, or what it should be is wrong.
        """
        return self.store.edit(owner_of(caller), memory_id, text=text, answer=answer, expires=expires)

    def confirm(self, memory_id: str, *, caller: Caller | None = None) -> Memory:
        """Note that a memory of the caller's is right.

        Raises:
            UsageError: the caller has none of this id.
        """
        return self.store.confirm(owner_of(caller), memory_id)

    def delete(self, ids: Sequence[str], *, caller: Caller | None = None) -> int:
        """Delete memories of the caller's; return how many.

        Raises:
            UsageError: the caller has none of one of the ids; nothing is deleted then.
        """
        return self.store.delete(owner_of(caller), ids)

    def forget(self, *, caller: Caller | None = None, conversation: str | None = None) -> int:
        """Delete all memories of the caller's, or those of a conversation with its turns; return how many."""
        deleted = self.store.forget(owner_of(caller), conversation=conversation)
        if conversation:
            deleted += self._turns.forget(owner_of(caller), conversation)
        return deleted

    def purge(self, *, caller: Caller | None = None) -> int:
        """Delete the memories of the caller's whose time is over; return how many."""
        return self.store.purge(owner_of(caller))

    def stale(self, memories: Sequence[Memory], *, caller: Caller | None = None) -> frozenset[str]:
        """Return the ids of memories of which a cited document has changed, is gone, or is not the caller's to read."""
        names = {each.document for memory in memories for each in memory.cited}
        try:
            held = self._contents(sorted(names), caller) if names else {}
        except IndexMissingError:
            held = {}
        return frozenset(
            memory.id
            for memory in memories
            if any(each.content_hash not in held.get(each.document, ()) for each in memory.cited)
        )

    def fresh(self, found: Sequence[Recalled], *, caller: Caller | None) -> list[Recalled]:
        """Return what was recalled without what is stale."""
        stale = self.stale([item.memory for item in found], caller=caller)
        return [item for item in found if item.memory.id not in stale]

    # -- what people say of answers -----------------------------------------------------------------------

    def rate(
        self,
        answer: Answer,
        rating: str,
        *,
        caller: Caller | None = None,
        comment: str = "",
        correction: str = "",
        conversation: str = "",
    ) -> tuple[int, Memory | None]:
        """Keep what the caller says of an answer, and remember what was approved; return its number and the memory.

        A thumbs-up remembers the question with the answer, a correction the question with that; a thumbs-down alone
        remembers nothing.

        Raises:
            UsageError: the rating is none, the caller is unknown, or a citation of the answer does not stand in the
                documents that the caller may read.
        """
        owner, corrected = owner_of(caller), correction.strip()
        if not owner:
            raise UsageError("feedback is kept for a user, who must be named")
        if len(comment) > MAX_TEXT or len(corrected) > MAX_ANSWER:
            raise UsageError(f"a comment has {MAX_TEXT:,} characters at most, a correction {MAX_ANSWER:,}")
        cited = self._cited(answer, caller)
        data = {
            "answer": answer.model_dump(mode="json"),
            "comment": comment,
            "correction": corrected,
            "conversation": conversation,
        }
        question = check_text(answer.asked or answer.question, name="a question")
        number = self._feedback.add(owner, rating, question, data, stamp(datetime.now(UTC)))
        approved = corrected or (
            without_markers(answer.answer) if rating == "up" and not answer.refused else ""
        )
        if not approved:
            return number, None
        memory = self.store.add(
            owner,
            question,
            kind="answer",
            answer=approved,
            source="thumbs_up",
            cited=() if corrected else cited,
            confirm=True,
        )
        return number, memory

    def remember(self, answer: Answer, *, caller: Caller | None = None) -> Memory:
        """Remember a question with its answer, as the caller asks for; it is not confirmed by that.

        Raises:
            UsageError: the answer is a refusal, the caller is unknown, or a citation does not stand in the documents.
        """
        if answer.refused:
            raise UsageError("a refusal cannot be remembered as an answer")
        return self.store.add(
            owner_of(caller),
            answer.asked or answer.question,
            kind="answer",
            answer=without_markers(answer.answer),
            cited=self._cited(answer, caller),
        )

    def _cited(self, answer: Answer, caller: Caller | None) -> tuple[Cited, ...]:
        """Return what an answer cites, each place checked: who sends an answer back may have changed it."""
        held = self._contents(sorted({each.document for each in answer.citations}), caller)
        cited = []
        for each in answer.citations:
            place = each.marker - 1
            passage = answer.passages[place] if 0 <= place < len(answer.passages) else None
            there = passage and self._quote(passage.id, each.start, each.end, caller) == each.quote
            hashes = held.get(each.document, frozenset())
            if not there or not hashes or passage is None or passage.document != each.document:
                raise UsageError(
                    f"what the answer cites of '{each.document[:100]}' does not stand there (any more): ask again"
                )
            # Of several documents of one name any may be the cited one: a change of each of them counts.
            cited += [Cited(each.document, content, each.quote, each.page) for content in sorted(hashes)]
        return tuple(cited)

    def opened_source(self, decision: str) -> bool:
        """Note that a source of an answer was opened, once, without who did; say whether there is such a decision.

        Args:
            decision: of the policy that chose who answered, see `PolicyReport`.
        """
        return self._decisions.click(decision, stamp(datetime.now(UTC)))

    def feedback(self, *, caller: Caller | None = None, everybody: bool = False) -> list[Feedback]:
        """Return what the caller said of answers; `everybody`, for who owns the machine, what all said."""
        if everybody and caller is not None:
            raise UsageError("what everybody said is for who owns the machine")
        return self._feedback.read(None if everybody else owner_of(caller))

    def feedback_page(
        self,
        *,
        caller: Caller | None = None,
        everybody: bool = False,
        rating: str = "",
        limit: int,
        offset: int = 0,
    ) -> tuple[list[Feedback], int]:
        """Return some of `feedback`, the newest first, of one rating or of all, and how much there is in all."""
        if everybody and caller is not None:
            raise UsageError("what everybody said is for who owns the machine")
        owner = None if everybody else owner_of(caller)
        return self._feedback.page(owner, rating=rating, limit=limit, offset=offset)

    def preferences(self, *, everybody: bool = False) -> list[tuple[str, str, str]]:
        """Return (question, chosen, rejected) of what the owner, or everybody, said."""
        return preference_pairs(self.feedback(everybody=everybody))

    # -- conversations ------------------------------------------------------------------------------------

    def turns(self, conversation: str, *, caller: Caller | None = None) -> list[Turn]:
        """Return the turns of a conversation of the caller's, in their order.

        Raises:
            UsageError: the conversation has no name, or nobody is known whose it would be.
        """
        if not owner_of(caller):
            raise UsageError("a conversation is kept for a user, who must be named")
        return self._turns.read(owner_of(caller), conversation)

    def conversations(self, *, caller: Caller | None = None) -> dict[str, int]:
        """Return the caller's conversations with the number of their turns."""
        return self._turns.names(owner_of(caller))

    def close(self) -> None:
        """Close the stores."""
        self.store.close()


def feedback_row(row: Feedback) -> dict[str, Any]:
    """Return a rating as JSON, with the answer that it approves and the one that it rejects."""
    return {
        "id": row.id,
        "user": row.user.removeprefix("user:") if row.user.startswith("user:") else None,
        "at": row.at,
        "rating": row.rating,
        "question": row.question,
        "approved": row.approved or None,
        "rejected": row.rejected or None,
        "comment": row.data.get("comment") or "",
        "conversation": row.data.get("conversation") or "",
        "answer": row.data["answer"],
    }
