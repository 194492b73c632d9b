"""From a question to a checked answer.

find the question's parts, retrieve, rank sentences, estimate answerability, fit the budget, generate, check the
citations. What does each is given; what runs the model is Semantic Kernel: a prompt function, with the variant
chosen by its name.
"""

from __future__ import annotations

import asyncio
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
    Contradiction,
    FinishReason,
    PassagesEvent,
    ShortAnswer,
    TokenEvent,
)
from kernel.answering.answerability import AnswerabilityModel, measure
from kernel.answering.asked import Asked
from kernel.answering.budget import fit_passages
from kernel.answering.causes import cause_of
from kernel.answering.citations import CheckedText, check_citations, leave_out, quoted, relocated
from kernel.answering.claims.windows import Likeness, Reader
from kernel.answering.contradictions import contradictions
from kernel.answering.evidence import InverseFrequencies
from kernel.answering.examples import Examples
from kernel.answering.extraction import choose_sentences, with_parts
from kernel.answering.fences import fence_of
from kernel.answering.focus import focus
from kernel.answering.leaks import without_prompt
from kernel.answering.links import LinkGuard
from kernel.answering.parts import MultiQuery, find_parts
from kernel.answering.prompts import answering_function, shows_examples
from kernel.answering.ranking import SentenceRanker
from kernel.answering.run import Clock, Run, Variant, shown_passages
from kernel.answering.sampling import sample
from kernel.answering.spans import short_of
from kernel.answering.sub_questions import writer_of_parts
from kernel.answering.suspicion import examine
from kernel.answering.texts import admits_ignorance, numbered, say, without_echo
from kernel.chat.extractive_chat import ExtractiveSettings
from kernel.chat.prompt_text import shield
from kernel.chat.streaming import stream_prompt
from kernel.chat.transformers_chat import TransformersSettings
from kernel.conversation.heard import render_memories
from kernel.conversation.listening import Listener
from kernel.functions.choosing import FunctionCaller, answers_by_itself
from kernel.functions.supporting import supported_by_results
from kernel.functions.wording import render_results, tell, texts_of, written_out
from plugins.memory.rules import fact_to_remember
from plugins.prompt_functions import (
    LANGUAGES,
    PromptPassage,
    examples_of,
    instructions_of,
    render_passages,
    split_reasoning,
    without_examples,
)
from plugins.retrieval_plugin import PLUGIN_NAME as RETRIEVAL
from retrieval.analysis import detect_language
from retrieval.errors import UsageError
from retrieval.remembered import Remembered
from retrieval.stages import Step

PartsKept = Remembered[tuple[str, ...], tuple[str, ...]]
"""The parts of questions that were found last, by the question and who found them."""

_SURE = 0.5
"""The estimate of answerability below which an answer says that it is not certain."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds an answer."""

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
        listener: Listener,
        examples: Examples,
        *,
        parts_kept: PartsKept | None = None,
        likeness: Likeness | None = None,
        reader: Reader | None = None,
        functions: FunctionCaller | None = None,
    ) -> None:
        self._kernel = kernel
        self._ranker = ranker
        self._inverse_frequencies = inverse_frequencies
        self._answerability = answerability
        self._limits = limits
        self._extractive = extractive
        self._listener = listener
        self._likeness = likeness
        self._reader = reader
        self._parts_kept = parts_kept
        self._examples = examples
        self._functions = functions

    def over(self, kernel: Kernel) -> AnswerFlow:
        """Return the same flow over another kernel with the same functions."""
        return AnswerFlow(
            kernel,
            self._ranker,
            self._inverse_frequencies,
            self._answerability,
            self._limits,
            self._extractive,
            self._listener,
            self._examples,
            parts_kept=self._parts_kept,
            likeness=self._likeness,
            reader=self._reader,
            functions=self._functions,
        )

    async def stream(
        self, asked: Asked, variant: Variant, root: Step | None = None
    ) -> AsyncGenerator[AskEvent, None]:
        """Answer a question as a stream of events; the last is always the checked answer.

        Args:
            asked: the question, and what was said with it.
            variant: who generates: the one that was asked for, which goes to `extractive` for a language that it
                does not speak, unless it was asked for by name.
            root: gets the steps of the work.
        """
        if (fact := fact_to_remember(asked.question)) is not None:
            answer = await self._listener.remember(self._kernel, asked, fact)
            yield PassagesEvent(passages=[], variant=answer.variant, technique=answer.technique)
            yield AnswerEvent(answer=answer)
            return
        run = await self._prepare(asked, variant, Clock(root))
        yield PassagesEvent(
            passages=shown_passages(run.passages, frozenset(range(len(run.passages)))),
            variant=run.variant.name,
            technique=run.technique.value,
            notices=run.notices,
        )
        is_answerable = run.confidence >= self._limits.threshold and bool(run.ranking.sentences)
        await self._call_functions(run, asked, is_answerable=is_answerable)
        if not is_answerable:
            yield AnswerEvent(answer=self._from_functions(run) or self._refusal(run))
            return
        await self._fill(run, asked)
        if asked.samples > 1 and run.variant.counter is not None:
            await self._vote(run, asked.samples)
        else:
            async with aclosing(self._generate(run)) as pieces:
                async for piece in pieces:
                    yield TokenEvent(text=piece)
        yield AnswerEvent(answer=await self._finish(run))

    async def _prepare(self, asked: Asked, variant: Variant, clock: Clock) -> Run:
        heard = await self._listener.hear(self._kernel, asked, variant, clock)
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
            ranking = await asyncio.to_thread(self._ranker.rank, question, examined.passages)
            of_parts = [await asyncio.to_thread(self._ranker.rank, part, examined.passages) for part in parts]
            by_parts, found = with_parts(ranking, of_parts)
            step.note(sentences=len(ranking.sentences))
        measured = measure(question, examined.passages, ranking) if passages else {}
        confidence = self._answerability.probability(measured) if passages else 0.0
        language = asked.language or detect_language(asked.question)
        answering_function(self._kernel, language, asked.technique.value)  # before the rest is done in vain
        notices = [*heard.notices, *([] if passages else [say("empty_index", language)])]
        if examined.blanked:
            notices.append(say("addressed_to_model", language, passages=numbered(examined.blanked, language)))
        spoken = [detect_language(passage.text) for passage in examined.passages[:1]]
        if variant.counter is not None and not variant.speaks(language, *spoken):
            key = "language_asked_for" if asked.chosen else "language_not_spoken"
            notices.append(say(key, language, model=variant.model))
            variant = variant if asked.chosen else self._extractive
        disagreeing = await asyncio.to_thread(
            contradictions, examined.passages, ranking, self._inverse_frequencies
        )
        return Run(
            question=question,
            language=language,
            technique=asked.technique,
            variant=variant,
            passages=passages,
            ranking=by_parts,
            parts=found,
            confidence=confidence,
            notices=notices,
            clock=clock,
            max_new_tokens=asked.max_new_tokens,
            max_prompt_tokens=asked.max_prompt_tokens,
            strict=asked.strict,
            threshold=self._limits.threshold,
            contradictions=disagreeing,
            said=asked.question,
            heard=heard,
            evidence=examined.passages,
            fence=fence_of(question, passages),
        )

    async def parts(self, question: str, variant: Variant, way: MultiQuery) -> tuple[str, ...]:
        """Return the parts of a question, see `find_parts`; a model that splits it is the variant."""
        key = (question, way, variant.name, variant.revision) if way == "model" else (question, way)
        kept = None if self._parts_kept is None else self._parts_kept.get(key)
        if kept is not None:
            return kept
        write = writer_of_parts(self._kernel, variant, question) if way == "model" else None
        found = await find_parts(question, way, write)
        return found if self._parts_kept is None else self._parts_kept.put(key, found)

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
            try:
                run.kept = await self._fit(run)
            except UsageError:
                if not run.results:
                    raise
                run.results = ""
                run.notices.append(tell("results_left_out", run.language))
                run.kept = await self._fit(run)
            run.used = frozenset(item.number - 1 for item in run.kept)

    def _function(self, run: Run) -> Any:
        return answering_function(self._kernel, run.language, run.prompt or run.technique.value)

    async def _vote(self, run: Run, samples: int) -> None:
        """Write several drafts, and take the one that is elected."""
        settings = TransformersSettings(
            service_id=run.variant.name,
            max_new_tokens=run.max_new_tokens,
            temperature=self._limits.sample_temperature,
            seed=self._limits.sample_seed,
            drafts=samples,
        )
        with run.clock("generate") as step:
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
            facts = ("prompt_tokens", "completion_tokens", "finish_reason")
            step.note(**{name: sampled.metadata[name] for name in facts if name in sampled.metadata})
        run.pieces, run.samples = [sampled.draft], sampled.samples
        run.metadata.update(sampled.metadata)
        if sampled.samples.agreement < _SURE:
            share = round(100 * sampled.samples.agreement)
            run.notices.append(say("disagreement", run.language, n=samples, share=share))

    def _checked(self, run: Run, text: str) -> CheckedText:
        return check_citations(
            text,
            run.evidence,
            self._inverse_frequencies,
            question=run.question,
            likeness=self._likeness,
            reader=self._reader,
        )

    async def _call_functions(self, run: Run, asked: Asked, *, is_answerable: bool) -> None:
        """Let the variant call functions, where it may; with the passages before it, where they are of use."""
        wanted = run.variant.calls_functions if asked.functions is None else asked.functions
        if self._functions is None or run.variant.counter is None or not wanted:
            return
        with run.clock("functions"):
            shown = focus(run.evidence, run.ranking, sentences=self._focused(run))
            passages = render_passages(shown, run.language, fence=run.fence) if is_answerable else ""
            await self._functions.call(self._kernel, run, passages)
        if run.functions:
            run.fence = fence_of(run.question, run.passages, texts_of(run.functions))
        run.results = render_results(run.functions, run.language, fence=run.fence)

    def _from_functions(self, run: Run) -> Answer | None:
        """Return the answer of functions alone to a question that the documents do not answer."""
        told = [written_out(call) for call in run.computed if answers_by_itself(call, run.question)]
        if not told:
            return None
        run.notices.append(tell("from_functions", run.language))
        return run.answer(text="\n".join(told), reasoning=None, finish_reason=FinishReason.STOP)

    async def _generate(self, run: Run) -> AsyncGenerator[str, None]:
        """Yield the draft piece by piece."""
        settings = self._settings(run)
        arguments = self._arguments(run, run.kept, settings)
        function = self._function(run)
        guard = LinkGuard([run.question, *(item.text for item in run.kept)], run.language)
        # Ended by hand: between two pieces others are at work in this context.
        step, drained = run.clock("generate"), dict[str, Any]()
        try:
            async with aclosing(stream_prompt(self._kernel, function, arguments, drained)) as stream:
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
        except BaseException as error:
            run.metadata.update(drained)
            _note_generation(step, run, error)
            raise
        _note_generation(step, run)

    async def _fit(self, run: Run) -> list[PromptPassage]:
        counter = run.variant.counter
        if counter is None:
            return focus(run.evidence, run.ranking, sentences=0)

        async def count(passages: Sequence[PromptPassage]) -> int:
            rendered = await self._function(run).prompt_template.render(
                self._kernel, self._arguments(run, passages, None)
            )
            history = ChatHistory.from_rendered_prompt(rendered)
            messages = [{"role": item.role.value, "content": item.content} for item in history.messages]
            return await asyncio.to_thread(counter.count, messages)

        wanted = focus(run.evidence, run.ranking, sentences=self._focused(run))
        run.heard.block = render_memories(run.heard.memories, run.language)
        try:
            kept, _ = await fit_passages(wanted, count, budget=run.max_prompt_tokens)
        except UsageError:
            if not run.heard.block:
                raise
            run.heard.block = ""  # what is remembered goes before a passage does
            kept, _ = await fit_passages(wanted, count, budget=run.max_prompt_tokens)
        return kept

    def _focused(self, run: Run) -> int:
        """Return how many sentences the model is shown: one for each part at least; 0 shows whole passages."""
        return self._limits.focus_sentences and max(self._limits.focus_sentences, run.parts)

    def _arguments(
        self, run: Run, passages: Sequence[PromptPassage], settings: PromptExecutionSettings | None
    ) -> KernelArguments:
        # New for every call: Semantic Kernel writes into the arguments it is given.
        return KernelArguments(
            settings=settings,
            passages=shield(
                "\n\n".join(
                    filter(
                        None,
                        (
                            render_passages(passages, run.language, fence=run.fence) + run.heard.block,
                            run.results,
                        ),
                    )
                )
            ),
            question=shield(run.question),
            examples=shield(run.examples),
        )

    def _settings(self, run: Run) -> PromptExecutionSettings:
        if run.variant.name == EXTRACTIVE:
            sentences = [item.sentence.text for item in choose_sentences(run.ranking, run.parts)]
            return ExtractiveSettings(service_id=EXTRACTIVE, sentences=sentences)
        return TransformersSettings(service_id=run.variant.name, max_new_tokens=run.max_new_tokens)

    async def _finish(self, run: Run) -> Answer:
        draft = "".join(run.pieces)
        with run.clock("check"):
            if run.variant.name == EXTRACTIVE:
                return self._quoting(run, None)
            draft = draft[: run.metadata.get("kept_characters", len(draft))]
            reasoning, text = split_reasoning(run.technique.value, without_echo(draft))
            if admits_ignorance(text):
                return self._refusal(run, reasoning)
            told = instructions_of(self._function(run))
            text = without_prompt(text, told)
            reasoning = reasoning and without_prompt(reasoning, told)
            checked = await asyncio.to_thread(self._checked, run, text)
            checked, by_results = supported_by_results(
                checked,
                run.computed,
                [run.evidence[place] for place in sorted(run.used)],
                self._inverse_frequencies,
                question=run.question,
            )
            checked = leave_out(checked) if run.strict else checked
            if not checked.citations and not by_results:
                wrote = any(character.isalnum() for character in text)
                run.notices.append(say("draft_unsupported" if wrote else "draft_empty", run.language))
                run.variant = self._extractive
                return self._quoting(run, reasoning)
            return self._answer(run, checked, reasoning)

    def _quoting(self, run: Run, reasoning: str | None) -> Answer:
        """Return an answer of the passages' own sentences, each of which is its own evidence."""
        run.metadata.pop("finish_reason", None)  # a draft that was cut is not what is shown
        best = choose_sentences(run.ranking, run.parts)
        short = short_of(run.question, best[0].sentence) if best and not run.parts else None
        chosen = [(item.sentence, item.interaction) for item in best]
        return self._answer(run, quoted(chosen, run.evidence), reasoning, short)

    def _answer(
        self, run: Run, checked: CheckedText, reasoning: str | None, short: ShortAnswer | None = None
    ) -> Answer:
        run.notices += [_disagreement(each, run.language) for each in run.contradictions]
        if checked.unsupported:
            key = "left_out" if run.strict else "marked"
            run.notices.append(say(key, run.language, count=len(checked.unsupported)))
        if run.confidence < _SURE:
            run.notices.append(say("unsure", run.language))
        reason = FinishReason(run.metadata.get("finish_reason", FinishReason.STOP))
        if reason is FinishReason.REPETITION:
            run.notices.append(say("repeated", run.language))
        if reason is FinishReason.LENGTH:
            run.notices.append(say("cut", run.language, tokens=run.max_new_tokens))
        cited = {citation.marker - 1 for citation in checked.citations}
        guard = LinkGuard([run.evidence[place].text for place in sorted(cited)], run.language)
        text = guard.clean(checked.text)
        if guard.removed:
            run.notices.append(say("links_removed", run.language))
        return run.answer(
            text=text,
            citations=checked.citations,
            unsupported=[guard.clean(line) for line in checked.unsupported],
            claims=relocated(checked.claims, text, guard.clean),
            short_answer=short,
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


def _disagreement(found: Contradiction, language: str) -> str:
    def named(citation: Citation, date: str | None) -> str:
        return f"{citation.document} ({date[:10]})" if date else citation.document

    return say(
        "disagree",
        language,
        first=named(found.first, found.first_date),
        one=found.first.quote,
        second=named(found.second, found.second_date),
        other=found.second.quote,
    )


def _note_generation(step: Step, run: Run, error: BaseException | None = None) -> None:
    step.note(variant=run.variant.name, technique=run.technique.value)
    if run.variant.counter is not None:
        step.note(model=run.variant.model, max_new_tokens=run.max_new_tokens)
        step.show(prompt=run.metadata.get("prompt", []))
    facts = ("prompt_tokens", "completion_tokens", "seconds_to_first_token", "finish_reason")
    step.note(**{name: run.metadata[name] for name in facts if name in run.metadata})
    step.show(draft="".join(run.pieces))
    step.end(error)
