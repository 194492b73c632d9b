"""What is measured of a question before anybody answers it: whether the passages hold the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from kernel.answering.answerability import AnswerabilityModel, measure
from kernel.answering.asked import Asked
from kernel.answering.parts import MultiQuery
from kernel.answering.ranking import SentenceRanker
from kernel.answering.reading import SpanReader
from kernel.answering.run import Variant
from kernel.answering.suspicion import examine
from kernel.engine.searching import Searching
from kernel.variant_names import EXTRACTIVE
from retrieval.filter_text import parse_filters
from retrieval.filters import Where
from retrieval.records import Passage

FindParts = Callable[[str, Variant, MultiQuery], Awaitable[tuple[str, ...]]]
"""Gives the parts of a question that are searched for beside it; a model that splits it is the variant."""


class Measuring:
    """Measures questions.

    Args:
        searching: finds the passages.
        ranker: ranks their sentences.
        spans: reads them for the words that answer; None where nothing does.
        model: makes an estimate of what was measured.
        parts: finds the parts of a question.
    """

    def __init__(
        self,
        searching: Searching,
        ranker: SentenceRanker,
        spans: SpanReader | None,
        model: AnswerabilityModel,
        parts: FindParts,
    ) -> None:
        self._searching = searching
        self._ranker = ranker
        self._spans = spans
        self._model = model
        self._parts = parts

    async def measure(self, question: str, top: int, without_document: str | None) -> dict[str, float]:
        """Return the features of answerability of a question."""
        where = None if without_document is None else Where("document", "!=", without_document)
        return await self._measured(question, await self._searching.search(question, top, where))

    async def measured(self, asked: Asked) -> dict[str, float]:
        """Return what is measured of a question as it is asked: the features of answerability, `confidence`, which is
        the estimate, and how many `passages` there are. Those are found once, also for whoever answers."""
        parts: tuple[str, ...] = ()
        if asked.multi_query != "model":
            parts = await self._parts(asked.question, Variant(EXTRACTIVE), asked.multi_query)
        where = parse_filters(asked.where)
        passages = await self._searching.search(
            asked.question, asked.top_k, where, parts, caller=asked.caller
        )
        if not passages:
            return {"passages": 0.0, "confidence": 0.0}
        measured = await self._measured(asked.question, passages)
        return {
            **measured,
            "passages": float(len(passages)),
            "confidence": self._model.probability(measured),
        }

    async def _measured(self, question: str, passages: Sequence[Passage]) -> dict[str, float]:
        examined = (await asyncio.to_thread(examine, passages)).passages
        ranking = await asyncio.to_thread(self._ranker.rank, question, examined)
        texts = [passage.text for passage in examined]
        readings = await asyncio.to_thread(self._spans.read, question, texts) if self._spans else None
        return measure(question, examined, ranking, readings)
