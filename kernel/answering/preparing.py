"""From a question to what is known before an answer is written: passages, ranked sentences, what was read in them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from semantic_kernel.functions.kernel_arguments import KernelArguments

from kernel.answering.answerability import measure
from kernel.answering.asked import Asked
from kernel.answering.causes import cause_of
from kernel.answering.contradictions import contradictions
from kernel.answering.extraction import with_parts, with_reading
from kernel.answering.fences import fence_of
from kernel.answering.means import Means
from kernel.answering.parts import MultiQuery, find_parts
from kernel.answering.prompts import answering_function
from kernel.answering.reading import Reading
from kernel.answering.run import Clock, Run, Variant
from kernel.answering.sub_questions import writer_of_parts
from kernel.answering.suspicion import examine
from kernel.answering.texts import numbered, say
from plugins.retrieval_plugin import PLUGIN_NAME as RETRIEVAL
from retrieval.analysis import detect_language
from retrieval.records import Passage


class Preparing:
    """Finds what an answer can be made of."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def prepare(self, asked: Asked, variant: Variant, clock: Clock) -> Run:
        """Return what is known of an answer before anything is written: passages, sentences, the estimate."""
        heard = await self._means.listener.hear(self._means.kernel, asked, variant, clock)
        question = heard.question
        parts: tuple[str, ...] = ()
        if asked.multi_query != "off":
            with clock("parts"):
                parts = await self.parts(question, variant, asked.multi_query)
        with clock("retrieve") as step:
            arguments = KernelArguments(
                query=question, top=asked.top_k, filters=list(asked.where), parts=list(parts)
            )
            passages = (await self._invoke(RETRIEVAL, "search", arguments)).value
            step.note(passages=len(passages), top_k=asked.top_k, parts=len(parts))
        with clock("examine"):
            examined = await asyncio.to_thread(examine, passages)
        with clock("rank") as step:
            ranking = await asyncio.to_thread(self._means.ranker.rank, question, examined.passages)
            of_parts = [
                await asyncio.to_thread(self._means.ranker.rank, part, examined.passages) for part in parts
            ]
            by_parts, found = with_parts(ranking, of_parts)
            step.note(sentences=len(ranking.sentences))
        readings = await self._read(question, examined.passages, clock)
        short = None
        if not found:
            by_parts, short, alone = with_reading(ranking, readings or (), examined.passages)
            found = int(alone)
        measured = measure(question, examined.passages, ranking, readings) if passages else {}
        confidence = self._means.answerability.probability(measured) if passages else 0.0
        language = asked.language or detect_language(asked.question)
        # Before the rest is done in vain.
        answering_function(self._means.kernel, language, asked.technique.value)
        notices = [*heard.notices, *([] if passages else [say("empty_index", language)])]
        if examined.blanked:
            notices.append(say("addressed_to_model", language, passages=numbered(examined.blanked, language)))
        spoken = [detect_language(passage.text) for passage in examined.passages[:1]]
        if variant.counter is not None and not variant.speaks(language, *spoken):
            key = "language_asked_for" if asked.chosen else "language_not_spoken"
            notices.append(say(key, language, model=variant.model))
            variant = variant if asked.chosen else self._means.extractive
        disagreeing = await asyncio.to_thread(
            contradictions, examined.passages, ranking, self._means.inverse_frequencies
        )
        return Run(
            question=question,
            language=language,
            technique=asked.technique,
            variant=variant,
            passages=passages,
            ranking=by_parts,
            parts=found,
            short=short,
            confidence=confidence,
            notices=notices,
            clock=clock,
            max_new_tokens=asked.max_new_tokens,
            max_prompt_tokens=variant.prompt_room(asked.max_prompt_tokens, asked.max_new_tokens),
            temperature=asked.temperature,
            strict=asked.strict,
            threshold=self._means.limits.threshold,
            contradictions=disagreeing,
            said=asked.question,
            heard=heard,
            evidence=examined.passages,
            fence=fence_of(question, passages),
        )

    async def parts(self, question: str, variant: Variant, way: MultiQuery) -> tuple[str, ...]:
        """Return the parts of a question, see `find_parts`; a model that splits it is the variant."""
        key = (question, way, variant.name, variant.revision) if way == "model" else (question, way)
        kept = None if self._means.parts_kept is None else self._means.parts_kept.get(key)
        if kept is not None:
            return kept
        write = writer_of_parts(self._means.kernel, variant, question) if way == "model" else None
        found = await find_parts(question, way, write)
        return found if self._means.parts_kept is None else self._means.parts_kept.put(key, found)

    async def _read(self, question: str, passages: Sequence[Passage], clock: Clock) -> list[Reading] | None:
        """Return the best span of each passage, best first; None without a reading model."""
        if self._means.spans is None:
            return None
        with clock("read") as step:
            readings = await asyncio.to_thread(
                self._means.spans.read, question, [passage.text for passage in passages]
            )
            if readings is None:
                step.note(unavailable=True)
            if readings:
                step.note(spans=len(readings), margin=round(readings[0].margin, 2))
        return readings

    async def _invoke(self, plugin: str, function: str, arguments: KernelArguments) -> Any:
        try:
            return await self._means.kernel.invoke(
                plugin_name=plugin, function_name=function, arguments=arguments
            )
        except Exception as error:
            raise cause_of(error) from error
