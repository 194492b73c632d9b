"""From a question to a checked answer.

find the question's parts, retrieve, rank sentences, estimate answerability, fit the budget, generate, check the
citations. What does each is given; what runs the model is Semantic Kernel: a prompt function, with the variant
chosen by its name.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.prompt_execution_settings import PromptExecutionSettings
from semantic_kernel.contents import ChatHistory
from semantic_kernel.functions.kernel_arguments import KernelArguments

from kernel.answer import (
    EXTRACTIVE,
    Answer,
    AnswerEvent,
    AskEvent,
    Citation,
    FinishReason,
    PassagesEvent,
    TokenEvent,
)
from kernel.answering.answerability import AnswerabilityModel, measure
from kernel.answering.asked import Asked
from kernel.answering.budget import fit_passages
from kernel.answering.citations import CheckedText, check_citations, cite, join_sentences
from kernel.answering.evidence import InverseFrequencies
from kernel.answering.extraction import choose_sentences
from kernel.answering.fences import fence_of
from kernel.answering.focus import focus
from kernel.answering.leaks import without_prompt
from kernel.answering.links import LinkGuard
from kernel.answering.parts import MultiQuery, find_parts
from kernel.answering.ranking import ScoredSentence, SentenceRanker
from kernel.answering.run import Clock, Run, Variant, shown_passages
from kernel.answering.sub_questions import writer_of_parts
from kernel.answering.suspicion import examine
from kernel.answering.texts import admits_ignorance, numbered, say, without_echo
from kernel.chat.extractive_chat import ExtractiveSettings
from kernel.chat.prompt_text import shield
from kernel.chat.streaming import stream_prompt
from kernel.chat.transformers_chat import TransformersSettings
from plugins.prompt_functions import (
    PromptPassage,
    instructions_of,
    plugin_name,
    render_examples,
    render_passages,
    split_reasoning,
)
from plugins.retrieval_plugin import PLUGIN_NAME as RETRIEVAL
from retrieval.analysis import detect_language
from retrieval.errors import TekioError

_SURE = 0.5
"""The estimate of answerability below which an answer says that it is not certain."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds an answer."""

    max_new_tokens: int
    max_prompt_tokens: int
    focus_sentences: int
    threshold: float


class AnswerFlow:
    """Answers questions over one kernel. Holds no state between questions."""

    def __init__(
        self,
        kernel: Kernel,
        ranker: SentenceRanker,
        inverse_frequencies: InverseFrequencies,
        answerability: AnswerabilityModel,
        limits: Limits,
        extractive: Variant,
    ) -> None:
        self._kernel = kernel
        self._ranker = ranker
        self._inverse_frequencies = inverse_frequencies
        self._answerability = answerability
        self._limits = limits
        self._extractive = extractive

    def over(self, kernel: Kernel) -> AnswerFlow:
        """Return the same flow over another kernel with the same functions."""
        return AnswerFlow(
            kernel,
            self._ranker,
            self._inverse_frequencies,
            self._answerability,
            self._limits,
            self._extractive,
        )

    async def stream(self, asked: Asked, variant: Variant) -> AsyncGenerator[AskEvent, None]:
        """Answer a question as a stream of events; the last is always the checked answer.

        Args:
            asked: the question, and what was said with it.
            variant: who generates: the one that was asked for, which goes to `extractive` for a language that it
                does not speak, unless it was asked for by name.
        """
        run = await self._prepare(asked, variant)
        yield PassagesEvent(
            passages=shown_passages(run.passages, frozenset(range(len(run.passages)))),
            variant=run.variant.name,
            technique=run.technique.value,
            notices=run.notices,
        )
        if run.confidence < self._limits.threshold or not run.ranking.sentences:
            yield AnswerEvent(answer=self._refusal(run))
            return
        async with aclosing(self._generate(run)) as pieces:
            async for piece in pieces:
                yield TokenEvent(text=piece)
        yield AnswerEvent(answer=await self._finish(run))

    async def _prepare(self, asked: Asked, variant: Variant) -> Run:
        clock, question = Clock(), asked.question
        parts: tuple[str, ...] = ()
        if asked.multi_query != "off":
            with clock("parts"):
                parts = await self.parts(question, variant, asked.multi_query)
        with clock("retrieve"):
            arguments = KernelArguments(
                query=question, top=asked.top_k, filters=list(asked.where), parts=list(parts)
            )
            passages = (await self._invoke(RETRIEVAL, "search", arguments)).value
        with clock("examine"):
            examined = await asyncio.to_thread(examine, passages)
        with clock("rank"):
            ranking = await asyncio.to_thread(self._ranker.rank, question, examined.passages)
        confidence = self._answerability.probability(measure(passages, ranking)) if passages else 0.0
        language = asked.language or detect_language(question)
        notices = [] if passages else [say("empty_index", language)]
        if examined.blanked:
            notices.append(say("addressed_to_model", language, passages=numbered(examined.blanked, language)))
        spoken = [detect_language(passage.text) for passage in examined.passages[:1]]
        if variant.counter is not None and not variant.speaks(language, *spoken):
            key = "language_asked_for" if asked.chosen else "language_not_spoken"
            notices.append(say(key, language, model=variant.model))
            variant = variant if asked.chosen else self._extractive
        return Run(
            question,
            language,
            asked.technique,
            variant,
            passages,
            ranking,
            confidence,
            notices,
            clock,
            evidence=examined.passages,
        )

    async def parts(self, question: str, variant: Variant, way: MultiQuery) -> tuple[str, ...]:
        """Return the parts of a question, see `find_parts`; a model that splits it is the variant."""
        write = writer_of_parts(self._kernel, variant, question) if way == "model" else None
        return await find_parts(question, way, write)

    async def _generate(self, run: Run) -> AsyncGenerator[str, None]:
        """Yield the draft piece by piece."""
        with run.clock("budget"):
            kept = await self._fit(run)
            run.used = frozenset(item.number - 1 for item in kept)
        settings = self._settings(run)
        arguments = self._arguments(run, kept, settings)
        started = time.perf_counter()
        function = self._kernel.get_function(plugin_name(run.language), run.technique.value)
        guard = LinkGuard([run.question, *(item.text for item in kept)], run.language)
        async with aclosing(stream_prompt(self._kernel, function, arguments)) as stream:
            async for message in stream:
                run.metadata.update(
                    {key: value for key, value in message.metadata.items() if key != "arguments"}
                )
                if text := str(message.content or ""):
                    run.pieces.append(text)
                    if shown := guard.feed(text):
                        yield shown
        if shown := guard.rest():
            yield shown
        run.clock.note("generate", time.perf_counter() - started)

    async def _fit(self, run: Run) -> list[PromptPassage]:
        counter = run.variant.counter
        if counter is None:
            return focus(run.evidence, run.ranking, sentences=0)

        async def count(passages: Sequence[PromptPassage]) -> int:
            function = self._kernel.get_function(plugin_name(run.language), run.technique.value)
            template: Any = function.prompt_template  # type: ignore[attr-defined]
            rendered = await template.render(self._kernel, self._arguments(run, passages, None))
            history = ChatHistory.from_rendered_prompt(rendered)
            messages = [{"role": item.role.value, "content": item.content} for item in history.messages]
            return await asyncio.to_thread(counter.count, messages)

        wanted = focus(run.evidence, run.ranking, sentences=self._limits.focus_sentences)
        kept, _ = await fit_passages(wanted, count, budget=self._limits.max_prompt_tokens)
        return kept

    def _arguments(
        self, run: Run, passages: Sequence[PromptPassage], settings: PromptExecutionSettings | None
    ) -> KernelArguments:
        # New for every call: Semantic Kernel writes into the arguments it is given.
        return KernelArguments(
            settings=settings,
            passages=shield(
                render_passages(passages, run.language, fence=fence_of(run.question, run.passages))
            ),
            question=shield(run.question),
            examples=shield(render_examples(run.technique.value, run.language)),
        )

    def _settings(self, run: Run) -> PromptExecutionSettings:
        if run.variant.name == EXTRACTIVE:
            sentences = [item.sentence.text for item in choose_sentences(run.ranking)]
            return ExtractiveSettings(service_id=EXTRACTIVE, sentences=sentences)
        return TransformersSettings(service_id=run.variant.name, max_new_tokens=self._limits.max_new_tokens)

    async def _finish(self, run: Run) -> Answer:
        draft = "".join(run.pieces)
        with run.clock("check"):
            if run.variant.name == EXTRACTIVE:
                return self._quoting(run, None)
            reasoning, text = split_reasoning(run.technique.value, without_echo(draft))
            if admits_ignorance(text):
                return self._refusal(run, reasoning)
            function = self._kernel.get_function(plugin_name(run.language), run.technique.value)
            text = without_prompt(text, instructions_of(function))
            reasoning = reasoning and without_prompt(reasoning, instructions_of(function))
            checked = await asyncio.to_thread(
                check_citations, text, run.evidence, self._inverse_frequencies, question=run.question
            )
            if not checked.citations:
                run.notices.append(say("draft_unsupported", run.language))
                run.variant = self._extractive
                return self._quoting(run, reasoning)
            return self._answer(run, checked, reasoning)

    def _quoting(self, run: Run, reasoning: str | None) -> Answer:
        """Return an answer of the passages' own sentences, each of which is its own evidence."""
        run.metadata.pop("finish_reason", None)  # a draft that was cut is not what is shown
        chosen: list[ScoredSentence] = choose_sentences(run.ranking)
        citations: list[Citation] = [cite([item.sentence], run.evidence, 1.0) for item in chosen]
        written = [f"{item.sentence.text} [{item.sentence.passage + 1}]" for item in chosen]
        return self._answer(run, CheckedText(join_sentences(written), citations, []), reasoning)

    def _answer(self, run: Run, checked: CheckedText, reasoning: str | None) -> Answer:
        if run.confidence < _SURE:
            run.notices.append(say("unsure", run.language))
        reason = FinishReason(run.metadata.get("finish_reason", FinishReason.STOP))
        if reason is FinishReason.LENGTH:
            run.notices.append(say("cut", run.language, tokens=self._limits.max_new_tokens))
        cited = {citation.marker - 1 for citation in checked.citations}
        guard = LinkGuard([run.evidence[place].text for place in sorted(cited)], run.language)
        text, unsupported = guard.clean(checked.text), [guard.clean(line) for line in checked.unsupported]
        if guard.removed:
            run.notices.append(say("links_removed", run.language))
        return run.answer(
            text=text,
            citations=checked.citations,
            unsupported=unsupported,
            reasoning=reasoning
            and LinkGuard([item.text for item in run.evidence], run.language).clean(reasoning),
            finish_reason=reason,
        )

    def _refusal(self, run: Run, reasoning: str | None = None) -> Answer:
        text = say("refusal", run.language)
        reasoning = reasoning and LinkGuard([item.text for item in run.evidence], run.language).clean(
            reasoning
        )
        return run.answer(text=text, refused=True, reasoning=reasoning, finish_reason=FinishReason.REFUSED)

    async def _invoke(self, plugin: str, function: str, arguments: KernelArguments) -> Any:
        try:
            return await self._kernel.invoke(plugin_name=plugin, function_name=function, arguments=arguments)
        except Exception as error:
            raise cause_of(error) from error


def cause_of(error: BaseException) -> BaseException:
    """Return the error of ours that Semantic Kernel wrapped, or the error itself."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, TekioError):
            return inner
        inner = inner.__cause__
    return error
