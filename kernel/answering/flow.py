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
from kernel.answering.examples import Examples
from kernel.answering.extraction import choose_sentences
from kernel.answering.focus import focus
from kernel.answering.parts import MultiQuery, find_parts
from kernel.answering.prompts import answering_function, shows_examples
from kernel.answering.ranking import ScoredSentence, SentenceRanker
from kernel.answering.run import Clock, Run, Variant, shown_passages
from kernel.answering.sampling import sample
from kernel.answering.sub_questions import writer_of_parts
from kernel.answering.texts import admits_ignorance, say, without_echo
from kernel.chat.extractive_chat import ExtractiveSettings
from kernel.chat.prompt_text import shield
from kernel.chat.streaming import stream_prompt
from kernel.chat.transformers_chat import TransformersSettings
from plugins.prompt_functions import (
    LANGUAGES,
    PromptPassage,
    examples_of,
    render_passages,
    split_reasoning,
    without_examples,
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
    example_tokens: int = 800
    sample_temperature: float = 0.7
    sample_seed: int = 0


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
        examples: Examples,
    ) -> None:
        self._kernel = kernel
        self._ranker = ranker
        self._inverse_frequencies = inverse_frequencies
        self._answerability = answerability
        self._limits = limits
        self._extractive = extractive
        self._examples = examples

    def over(self, kernel: Kernel) -> AnswerFlow:
        """Return the same flow over another kernel with the same functions."""
        return AnswerFlow(
            kernel,
            self._ranker,
            self._inverse_frequencies,
            self._answerability,
            self._limits,
            self._extractive,
            self._examples,
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
        await self._fill(run, asked)
        if asked.samples > 1 and run.variant.counter is not None:
            await self._vote(run, asked.samples)
        else:
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
        with clock("rank"):
            ranking = await asyncio.to_thread(self._ranker.rank, question, passages)
        confidence = self._answerability.probability(measure(passages, ranking)) if passages else 0.0
        language = asked.language or detect_language(question)
        answering_function(self._kernel, language, asked.technique.value)  # before the rest is done in vain
        notices = [] if passages else [say("empty_index", language)]
        spoken = [detect_language(passage.text) for passage in passages[:1]]
        if variant.counter is not None and not variant.speaks(language, *spoken):
            key = "language_asked_for" if asked.chosen else "language_not_spoken"
            notices.append(say(key, language, model=variant.model))
            variant = variant if asked.chosen else self._extractive
        return Run(
            question, language, asked.technique, variant, passages, ranking, confidence, notices, clock
        )

    async def parts(self, question: str, variant: Variant, way: MultiQuery) -> tuple[str, ...]:
        """Return the parts of a question, see `find_parts`; a model that splits it is the variant."""
        write = writer_of_parts(self._kernel, variant, question) if way == "model" else None
        return await find_parts(question, way, write)

    async def _fill(self, run: Run, asked: Asked) -> None:
        """Choose the examples and the passages of the prompt, within their budgets."""
        with run.clock("budget"):
            function = self._function(run)
            if run.variant.counter is not None and shows_examples(function):
                run.examples = await self._examples.text(
                    run.question,
                    technique=run.technique.value,
                    language=run.language if run.language in LANGUAGES else "en",
                    wanted=examples_of(run.technique.value),
                    counter=run.variant.counter,
                    budget=self._limits.example_tokens,
                    caller=asked.caller,
                )
                if not run.examples:
                    run.prompt = without_examples(run.technique.value)
                    run.notices.append(say("no_examples", run.language, tokens=self._limits.example_tokens))
            run.kept = await self._fit(run)
            run.used = frozenset(item.number - 1 for item in run.kept)

    def _function(self, run: Run) -> Any:
        return answering_function(self._kernel, run.language, run.prompt or run.technique.value)

    async def _vote(self, run: Run, samples: int) -> None:
        """Write several drafts, and take the one that is elected."""
        settings = TransformersSettings(
            service_id=run.variant.name,
            max_new_tokens=self._limits.max_new_tokens,
            temperature=self._limits.sample_temperature,
            seed=self._limits.sample_seed,
            drafts=samples,
        )
        with run.clock("generate"):
            try:
                sampled = await sample(
                    self._kernel,
                    self._function(run),
                    self._arguments(run, run.kept, settings),
                    technique=run.technique.value,
                    question=run.question,
                    check=lambda text: self._checked(run, text),
                )
            except Exception as error:
                raise cause_of(error) from error
        run.pieces, run.samples = [sampled.draft], sampled.samples
        run.metadata.update(sampled.metadata)
        if sampled.samples.agreement < _SURE:
            share = round(100 * sampled.samples.agreement)
            run.notices.append(say("disagreement", run.language, n=samples, share=share))

    def _checked(self, run: Run, text: str) -> CheckedText:
        return check_citations(text, run.passages, self._inverse_frequencies, question=run.question)

    async def _generate(self, run: Run) -> AsyncGenerator[str, None]:
        """Yield the draft piece by piece."""
        arguments = self._arguments(run, run.kept, self._settings(run))
        started = time.perf_counter()
        function = self._function(run)
        async with aclosing(stream_prompt(self._kernel, function, arguments)) as stream:
            async for message in stream:
                run.metadata.update(
                    {key: value for key, value in message.metadata.items() if key != "arguments"}
                )
                if text := str(message.content or ""):
                    run.pieces.append(text)
                    yield text
        run.clock.note("generate", time.perf_counter() - started)

    async def _fit(self, run: Run) -> list[PromptPassage]:
        counter = run.variant.counter
        if counter is None:
            return focus(run.passages, run.ranking, sentences=0)

        async def count(passages: Sequence[PromptPassage]) -> int:
            rendered = await self._function(run).prompt_template.render(
                self._kernel, self._arguments(run, passages, None)
            )
            history = ChatHistory.from_rendered_prompt(rendered)
            messages = [{"role": item.role.value, "content": item.content} for item in history.messages]
            return await asyncio.to_thread(counter.count, messages)

        wanted = focus(run.passages, run.ranking, sentences=self._limits.focus_sentences)
        kept, _ = await fit_passages(wanted, count, budget=self._limits.max_prompt_tokens)
        return kept

    def _arguments(
        self, run: Run, passages: Sequence[PromptPassage], settings: PromptExecutionSettings | None
    ) -> KernelArguments:
        # New for every call: Semantic Kernel writes into the arguments it is given.
        return KernelArguments(
            settings=settings,
            passages=shield(render_passages(passages, run.language)),
            question=shield(run.question),
            examples=shield(run.examples),
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
            draft = draft[: run.metadata.get("kept_characters", len(draft))]
            reasoning, text = split_reasoning(run.technique.value, without_echo(draft))
            if admits_ignorance(text):
                return self._refusal(run, reasoning)
            checked = await asyncio.to_thread(self._checked, run, text)
            if not checked.citations:
                wrote = any(character.isalnum() for character in text)
                run.notices.append(say("draft_unsupported" if wrote else "draft_empty", run.language))
                run.variant = self._extractive
                return self._quoting(run, reasoning)
            return self._answer(run, checked, reasoning)

    def _quoting(self, run: Run, reasoning: str | None) -> Answer:
        """Return an answer of the passages' own sentences, each of which is its own evidence."""
        run.metadata.pop("finish_reason", None)  # a draft that was cut is not what is shown
        chosen: list[ScoredSentence] = choose_sentences(run.ranking)
        citations: list[Citation] = [cite([item.sentence], run.passages, 1.0) for item in chosen]
        written = [f"{item.sentence.text} [{item.sentence.passage + 1}]" for item in chosen]
        return self._answer(run, CheckedText(join_sentences(written), citations, []), reasoning)

    def _answer(self, run: Run, checked: CheckedText, reasoning: str | None) -> Answer:
        if run.confidence < _SURE:
            run.notices.append(say("unsure", run.language))
        reason = FinishReason(run.metadata.get("finish_reason", FinishReason.STOP))
        if reason is FinishReason.REPETITION:
            run.notices.append(say("repeated", run.language))
        if reason is FinishReason.LENGTH:
            run.notices.append(say("cut", run.language, tokens=self._limits.max_new_tokens))
        return run.answer(
            text=checked.text,
            citations=checked.citations,
            unsupported=checked.unsupported,
            reasoning=reasoning,
            finish_reason=reason,
        )

    def _refusal(self, run: Run, reasoning: str | None = None) -> Answer:
        text = say("refusal", run.language)
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
