"""What stands before the answering flow: the tree of steps, stored answers, and one generation for many who ask.

A stored answer is given again at once while the index is as it was. When the index has changed since, the passages are
searched for anew, which takes milliseconds, and the answer is given only if they are the same to the letter, in the
same order; then nothing that it rests on has changed, and nothing came in between. Else it is taken out and made anew.

Never stored: what was cut or stopped, what failed, what a conversation or chance was part of, what was asked while the
index changed. A refusal is given again only while the index is as it was: what came in since may hold the answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kernel.answer import (
    Answer,
    AnswerEvent,
    AnswerPassage,
    AskEvent,
    CacheHit,
    FinishReason,
    PassagesEvent,
    Usage,
)
from kernel.answer_cache import AnswerCache, Stored
from kernel.answer_key import AnswerKey, answer_key, may_be_stored
from kernel.answering.asked import Asked
from kernel.answering.run import Variant, shown_passages
from kernel.metrics import Metrics
from kernel.similar_questions import same_matter
from kernel.single_flight import SingleFlight
from kernel.trace_view import trace_of
from kernel.tracing import Tracing
from retrieval.analysis import detect_language
from retrieval.records import Passage
from retrieval.stages import Step

Make = Callable[[Asked, Variant, Step], AsyncGenerator[AskEvent, None]]


class IndexView(Protocol):
    """What stored answers need to know of the index. May block; called from threads."""

    def identity(self) -> str:
        """Return what tells this index from others; empty where it cannot tell."""

    def version(self) -> str:
        """Return what changes with all that a search depends on."""

    def documents_of(self, passages: Sequence[int]) -> list[int]:
        """Return the ids of the documents of passages, by the passages' ids."""

    def vector(self, question: str) -> NDArray[np.float32]:
        """Return a question's vector, of length one."""


class Front:
    """Answers from what is stored, or by the flow; one for an engine."""

    def __init__(
        self,
        make: Make,
        find: Callable[[Asked, Variant], Awaitable[Sequence[Passage] | None]],
        index: IndexView,
        *,
        cache: AnswerCache | None,
        personal: Callable[[Asked], bool],
        moving: Callable[[Asked], Sequence[str]],
        fixed: Sequence[str],
        similar: float,
        tracing: Tracing,
        metrics: Metrics,
    ) -> None:
        """Put it together.

        Args:
            make: answers a question by the flow.
            find: gives the passages that the flow would find for a question; None where that is dear.
            index: that is asked.
            cache: the stored answers; None stores none.
            personal: says whether an answer may be one person's, by what is remembered for whoever asks; it may block.
            moving: gives what a question's answer depends on and may change at any time; it may block.
            fixed: what else all answers depend on: the settings, the program, the embedder.
            similar: cosine from which a question in other words counts as the same; 0 never does.
            tracing: makes the tree of steps.
            metrics: counts.
        """
        self._make = make
        self._find = find
        self._index = index
        self._cache = cache
        self._personal = personal
        self._moving = moving
        self._fixed = list(fixed)
        self._similar = similar
        self._tracing = tracing
        self._metrics = metrics
        self._flights: SingleFlight[AskEvent] = SingleFlight()

    async def stream(self, asked: Asked, variant: Variant) -> AsyncGenerator[AskEvent, None]:
        """Answer a question as a stream of events, see `AnswerFlow.stream`."""
        root = self._tracing.root("question")
        root.note(variant=variant.name, technique=asked.technique.value, top_k=asked.top_k)
        root.show(question=asked.question)
        answer: Answer | None = None
        ended: BaseException | None = None
        try:
            async with aclosing(self.within(asked, variant, root)) as events:
                async for event in events:
                    if isinstance(event, AnswerEvent):
                        answer = event.answer
                        _note_answer(root, answer)
                        if asked.trace:
                            answer = answer.model_copy(update={"trace": trace_of(root)})
                        yield AnswerEvent(answer=answer)
                    else:
                        yield event
        except BaseException as error:
            # A consumer that has the answer may leave without waiting for the end.
            left = isinstance(error, (GeneratorExit, asyncio.CancelledError))
            ended = None if left and answer is not None else error
            raise
        finally:
            root.end(ended)
            self._metrics.record(root, answer)

    async def within(self, asked: Asked, variant: Variant, root: Step) -> AsyncGenerator[AskEvent, None]:
        """Answer a question as a stream of events, with its steps within one that is under way."""
        if (
            self._cache is None
            or not asked.cache
            or (variant.composition is not None and variant.composition.is_random)
            or not may_be_stored(asked)
            or await asyncio.to_thread(self._personal, asked)
        ):
            async with aclosing(self._make(asked, variant, root)) as events:
                async for event in events:
                    yield event
            return
        language = asked.language or detect_language(asked.question)
        moving = await asyncio.to_thread(self._moving, asked)
        key = answer_key(asked, variant, language, [*self._fixed, *moving])
        with root.begin("cache") as step:
            version = await asyncio.to_thread(self._index.version)
            found = await self._stored(asked, variant, key, version)
            hit = "miss" if found is None else found[2]
            step.note(hit=hit)
        if found is not None:
            root.note(cache=hit)
            for event in _events_of(*found, asked, root):
                yield event
            return
        flight = (key.whole, version, asked.trace)
        root.note(cache="joined" if self._flights.is_under_way(flight) else "miss")
        async with aclosing(
            self._flights.follow(flight, lambda: self._made(asked, variant, key, version, root))
        ) as events:
            async for event in events:
                yield event

    async def _stored(
        self, asked: Asked, variant: Variant, key: AnswerKey, version: str
    ) -> tuple[Stored, Answer, str] | None:
        """Return a stored answer that holds, and whether it is of the very question."""
        assert self._cache is not None
        stored, hit = await asyncio.to_thread(self._cache.get, key.whole), "exact"
        if stored is None and self._similar:
            stored, hit = await asyncio.to_thread(self._near, asked.question, key), "semantic"
        if stored is None or not await self._holds(stored, asked, variant, version):
            return None
        try:
            answer = Answer.model_validate_json(stored.answer)
        except ValueError:
            await asyncio.to_thread(self._cache.drop, stored.key)
            return None
        await asyncio.to_thread(self._cache.used, stored.key, version)
        return stored, answer, hit

    async def _holds(self, stored: Stored, asked: Asked, variant: Variant, version: str) -> bool:
        assert self._cache is not None
        identity = await asyncio.to_thread(self._index.identity)
        if identity and (stored.identity, stored.version) == (identity, version):
            return True
        if not stored.refused:
            passages = await self._find(asked, variant)
            if passages is None:
                return False  # it may hold, but to find out would take a model
            if _digest(shown_passages(passages, frozenset())) == stored.found:
                return True
        await asyncio.to_thread(self._cache.drop, stored.key)
        return False

    def _near(self, question: str, key: AnswerKey) -> Stored | None:
        """Return the answer to the nearest question that asks the same in other words."""
        assert self._cache is not None
        rows = self._cache.similar(key.scope)
        if not rows:
            return None
        cosines = np.stack([vector for _, _, vector in rows]) @ self._index.vector(question)
        for place in np.argsort(-cosines, kind="stable"):
            if cosines[place] < self._similar:
                return None
            if same_matter(key.question, rows[place][1]):
                return self._cache.get(rows[place][0])
        return None

    async def _made(
        self, asked: Asked, variant: Variant, key: AnswerKey, version: str, root: Step
    ) -> AsyncGenerator[AskEvent, None]:
        found = b""
        async with aclosing(self._make(asked, variant, root)) as events:
            async for event in events:
                if isinstance(event, PassagesEvent):
                    found = _digest(event.passages)
                elif isinstance(event, AnswerEvent) and _is_whole(event.answer, root):
                    await asyncio.to_thread(self._keep, key, version, found, event.answer)
                yield event

    def _keep(self, key: AnswerKey, version: str, found: bytes, answer: Answer) -> None:
        assert self._cache is not None
        documents = self._index.documents_of([passage.id for passage in answer.passages])
        if self._index.version() != version:
            return  # it is not certain on which state of the index it rests
        self._cache.put(
            Stored(
                key=key.whole,
                scope=key.scope,
                question=key.question,
                identity=self._index.identity(),
                version=version,
                found=found,
                refused=answer.refused,
                answer=answer.model_dump_json(exclude={"trace", "cache"}),
                documents=documents,
                vector=self._index.vector(key.question) if self._similar else None,
            )
        )


def _events_of(stored: Stored, answer: Answer, hit: str, asked: Asked, root: Step) -> list[AskEvent]:
    """Return what a stored answer is as events, as if it were new: with what it took now."""
    usage = answer.usage
    again = answer.model_copy(
        update={
            "question": asked.question,
            "cache": CacheHit(
                hit="exact" if hit == "exact" else "semantic",
                question=stored.question,
                age_seconds=round(max(0.0, time.time() - stored.made), 1),
            ),
            "usage": Usage(
                cached_tokens=usage.prompt_tokens + usage.completion_tokens,
                passages_used=usage.passages_used,
                passages_omitted=usage.passages_omitted,
            ),
            "timings_ms": {
                "cache": round(1000 * sum(step.seconds for step in root.within), 1),
                "total": round(1000 * root.seconds, 1),
            },
        }
    )
    found = PassagesEvent(
        passages=answer.passages, variant=answer.variant, technique=answer.technique, notices=answer.notices
    )
    return [found, AnswerEvent(answer=again)]


def _is_whole(answer: Answer, root: Step) -> bool:
    """Say whether an answer came to its own end: neither it nor a draft on the way to it was cut or stopped, and no
    model that it should rest on was missing."""
    cut = {
        FinishReason.LENGTH.value,
        FinishReason.CANCELLED.value,
        FinishReason.REPETITION.value,
        FinishReason.TIMEOUT.value,
    }
    if answer.finish_reason.value in cut or not answer.passages or answer.memories or answer.functions:
        return False
    # Not the root's own error, which is only that whoever asked first has left.
    steps = [step for stage in root.within for step in stage.all()]
    return all(
        step.notes.get("finish_reason") not in cut and not step.error and not step.notes.get("unavailable")
        for step in steps
    )


def _digest(passages: Sequence[AnswerPassage]) -> bytes:
    """Return what changes with passages, their places and their order; not with how they were found."""
    rows = [passage.model_dump(exclude={"score", "used", "found_by"}) for passage in passages]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode("utf-8", "surrogatepass")).digest()


def _note_answer(root: Step, answer: Answer) -> None:
    root.note(
        variant=answer.variant,
        language=answer.language,
        refused=answer.refused,
        confidence=answer.confidence,
        finish_reason=answer.finish_reason.value,
        passages=len(answer.passages),
        citations=len(answer.citations),
        cached_tokens=answer.usage.cached_tokens,
    )
    root.show(answer=answer.answer)
