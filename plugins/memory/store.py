"""Memories in a collection beside the passages: found by meaning, and only by whose they are.

Whose a memory is, is the first argument of every method and a condition of every statement; an id alone reaches
nothing. Where there is no memory yet, reading makes none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from plugins.memory.opening import open_memory
from plugins.memory.records import (
    MAX_ANSWER,
    Cited,
    Kind,
    Memory,
    Source,
    check_cited,
    check_expiry,
    check_name,
    check_text,
    data_of,
    key_of,
    memory_of,
    stamp,
)
from plugins.memory.scoring import COHORT, FLOOR, cohort_mean, score, similarity
from retrieval.analysis import content_tokens
from retrieval.embedding import Embedder
from retrieval.errors import UsageError
from retrieval.filters import All, Filter, OneOf, Where
from retrieval.stores.interface import Collection, Hit, Row
from retrieval.stores.opening import Place, is_address, is_in

MOST = 10_000
"""Memories that one user may have."""
_CANDIDATES = 64
_ABSENT_SECONDS = 2.0
"""How long a server that had no memory is not asked again: another process may have made one since."""
MAX_TOP = 50


@dataclass(frozen=True, slots=True)
class Recalled:
    """A memory that fits a query; `similarity` and `score` are 0 to 1, see `scoring`."""

    memory: Memory
    similarity: float
    score: float


class MemoryStore:
    """All users' memories in one place. Blocks; call it from a thread."""

    def __init__(
        self,
        place: Place,
        embedder: Callable[[], Embedder],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Describe a store; it is opened when first used.

        Args:
            place: a folder, or the address of a server.
            embedder: gives the embedding model.
            now: gives the present.
        """
        self._place = place
        self._embedder = embedder
        self._now = now
        self._lock = threading.RLock()
        self._collection: Collection | None = None
        self._absent_until = 0.0
        self._cohort: NDArray[np.float32] | None = None

    # -- reading ------------------------------------------------------------------------------------------

    def listed(self, owner: str, *, conversation: str | None = None) -> list[Memory]:
        """Return a user's memories, the newest first; of a conversation alone where one is named."""
        collection = self._open(create=False)
        if collection is None or not owner:
            return []
        where: Filter = Where("user", "==", owner)
        if conversation is not None:
            where = All((where, Where("conversation", "==", conversation)))
        memories = [_memory(hit) for hit in collection.select(where)]
        living = [item for item in memories if not item.is_expired(self._now())]
        # Reversed as a whole, so that of two of the same second the one that was saved last comes first.
        return sorted(living, key=lambda item: item.renewed)[::-1]

    def get(self, owner: str, memory_id: str) -> Memory:
        """Return a user's memory.

        Raises:
            UsageError: the user has none of this id; whether somebody else has is not told.
        """
        collection = self._open(create=False)
        found = [] if collection is None or not owner else collection.get([memory_id])
        for hit in found:
            if hit.data["user"] == owner and not (memory := _memory(hit)).is_expired(self._now()):
                return memory
        raise UsageError(f"there is no memory '{memory_id[:60]}'; `tekio memory list` lists them")

    def recall(
        self, owner: str, query: str, *, top: int = 3, conversation: str = "", floor: float = FLOOR
    ) -> list[Recalled]:
        """Return the memories of a user that fit a query, best first.

        Those of the conversation that is named are among them, those of others are not.

        Raises:
            UsageError: the query is empty or too long, or `top` is out of range.
        """
        query = check_text(query, name="what to recall", most=8000)
        if not 1 <= top <= MAX_TOP:
            raise UsageError(f"top must be between 1 and {MAX_TOP}, not {top}")
        collection = self._open(create=False)
        if collection is None or not owner:
            return []
        scope = OneOf("conversation", tuple(dict.fromkeys(("", check_name(conversation)))))
        where = All((Where("user", "==", owner), scope))
        if not collection.count(where):
            return []  # the common case costs no embedding
        vector = self._embedder().embed_queries([query])[0]
        base, now, asked = float(np.dot(vector, self._mean())), self._now(), content_tokens(query)
        found = []
        for hit in collection.search(vector, top=_CANDIDATES, where=where):
            memory = _memory(hit)
            near = similarity(hit.score, base, asked, frozenset(content_tokens(memory.text)))
            if near >= floor and not memory.is_expired(now):
                fit = score(near, memory.renewed, memory.confirmed, now)
                found.append(Recalled(memory, round(near, 4), round(fit, 4)))
        return sorted(found, key=lambda item: (-item.score, item.memory.id))[:top]

    # -- writing ------------------------------------------------------------------------------------------

    def add(
        self,
        owner: str,
        text: str,
        *,
        kind: Kind = "fact",
        answer: str = "",
        conversation: str = "",
        source: Source = "request",
        expires: str = "",
        cited: Sequence[Cited] = (),
        confirm: bool = False,
    ) -> Memory:
        """Remember something; the same thing said again is the same memory, with what is new of it.

        Raises:
            UsageError: a text or name is empty or too long, the expiry is none, or the memory is full.
        """
        owner = self._whose(owner)
        text, conversation = check_text(text), check_name(conversation)
        if kind == "answer":
            answer = check_text(answer, name="a remembered answer", most=MAX_ANSWER)
        elif answer:
            raise UsageError("only a question can have an answer: the kind must be 'answer'")
        now = self._now()
        expires = check_expiry(expires, now)
        collection = self._opened()
        key = key_of(owner, kind, text, conversation)
        vector = self._embed([text])[0]
        with collection.changing():
            self._forget_expired(collection, owner, now)
            while (held := self._held(collection, owner, key)) is not None and held.text != text:
                key = key_of(
                    owner, kind, key, conversation
                )  # it was edited since, and says something else now
            if held is None and collection.count(Where("user", "==", owner)) >= MOST:
                raise UsageError(f"{MOST:,} things are remembered, which are the most: delete some first")
            same = held is not None and held.answer == answer
            memory = Memory(
                id=key,
                kind=kind,
                text=text,
                answer=answer,
                conversation=conversation,
                source=source,
                created=held.created if held else stamp(now),
                confirmed=(held.confirmed if held and same else 0) + confirm,
                confirmed_at=stamp(now) if confirm else (held.confirmed_at if held and same else ""),
                expires=expires,
                cited=check_cited(cited),
            )
            collection.upsert([Row(key, data_of(owner, memory), vector)])
        return memory

    def edit(
        self,
        owner: str,
        memory_id: str,
        *,
        text: str | None = None,
        answer: str | None = None,
        expires: str | None = None,
    ) -> Memory:
        """Change a memory; what is None stays. Another text or answer is not confirmed, and cites nothing.

        Raises:
            UsageError: there is none of this id, or what it should be is wrong.
        """
        given = None if text is None else check_text(text)
        said = None if answer is None else check_text(answer, name="a remembered answer", most=MAX_ANSWER)
        until = None if expires is None else check_expiry(expires, self._now())

        def change(held: Memory) -> Memory:
            if held.kind == "fact" and said:
                raise UsageError("a fact has no answer: edit its text")
            changed = replace(
                held,
                text=held.text if given is None else given,
                answer=held.answer if said is None else said,
                expires=held.expires if until is None else until,
            )
            if (changed.text, changed.answer) != (held.text, held.answer):
                changed = replace(changed, confirmed=0, confirmed_at="", cited=())
            return changed

        return self._change(owner, memory_id, change)

    def confirm(self, owner: str, memory_id: str) -> Memory:
        """Note that a memory is right.

        Raises:
            UsageError: there is none of this id.
        """
        at = stamp(self._now())
        return self._change(
            owner, memory_id, lambda held: replace(held, confirmed=held.confirmed + 1, confirmed_at=at)
        )

    def delete(self, owner: str, ids: Sequence[str]) -> int:
        """Delete memories by id; return how many.

        Raises:
            UsageError: there is none of one of the ids; nothing is deleted then.
        """
        wanted = [self.get(owner, memory_id).id for memory_id in dict.fromkeys(ids)]
        if wanted:
            self._opened().delete(wanted)
        return len(wanted)

    def forget(self, owner: str, *, conversation: str | None = None) -> int:
        """Delete all memories of a user, or of one conversation; return how many."""
        held = [memory.id for memory in self.listed(owner, conversation=conversation)]
        return self.delete(owner, held)

    def purge(self, owner: str) -> int:
        """Delete the memories of a user whose time is over; return how many."""
        collection = self._open(create=False)
        if collection is None or not owner:
            return 0
        with collection.changing():
            return self._forget_expired(collection, owner, self._now())

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            if self._collection is not None:
                self._collection.database.close()
            self._collection = None

    # -- parts --------------------------------------------------------------------------------------------

    @staticmethod
    def _whose(owner: str) -> str:
        if not owner:
            raise UsageError("nothing can be remembered for somebody unknown: the user must be named")
        return owner

    @staticmethod
    def _held(collection: Collection, owner: str, key: str) -> Memory | None:
        hits = collection.get([key])
        return _memory(hits[0]) if hits and hits[0].data["user"] == owner else None

    def _change(self, owner: str, memory_id: str, change: Callable[[Memory], Memory]) -> Memory:
        self.get(owner, memory_id)  # before a transaction is begun for nothing
        collection = self._opened()
        with collection.changing():
            held = self.get(owner, memory_id)
            changed = change(held)
            (hit,) = collection.get([memory_id], vectors=True)
            vector = hit.vector if changed.text == held.text else self._embed([changed.text])[0]
            assert vector is not None
            collection.upsert([Row(memory_id, data_of(owner, changed), vector)])
        return changed

    def _forget_expired(self, collection: Collection, owner: str, now: datetime) -> int:
        where = All((Where("user", "==", owner), Where("expires", "!=", "")))
        over = [hit.key for hit in collection.select(where) if _memory(hit).is_expired(now)]
        if over:
            collection.delete(over)
        return len(over)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._embedder().embed_passages(list(texts))

    def _mean(self) -> NDArray[np.float32]:
        if self._cohort is None:
            self._cohort = cohort_mean(self._embed(COHORT))
        return self._cohort

    def _opened(self) -> Collection:
        collection = self._open(create=True)
        assert collection is not None
        return collection

    def _is_there(self) -> bool:
        """Say whether there is a memory; of a server that has none it is asked again after a while."""
        if is_address(self._place) and time.monotonic() < self._absent_until:
            return False
        there = is_in(self._place)
        if not there:
            self._absent_until = time.monotonic() + _ABSENT_SECONDS
        return there

    def _open(self, *, create: bool) -> Collection | None:
        with self._lock:
            if self._collection is None:
                if not create and not self._is_there():
                    return None
                self._collection = open_memory(self._place, self._embedder())
            return self._collection


def _memory(hit: Hit) -> Memory:
    return memory_of(str(hit.key), hit.data)
