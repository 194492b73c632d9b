"""A draft: what the prompt shows within its budget, and what the variant writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from semantic_kernel.connectors.ai.prompt_execution_settings import PromptExecutionSettings
from semantic_kernel.contents import ChatHistory
from semantic_kernel.functions.kernel_arguments import KernelArguments

from kernel.answer import EXTRACTIVE
from kernel.answering.asked import Asked
from kernel.answering.budget import fit_passages
from kernel.answering.causes import cause_of
from kernel.answering.extraction import choose_sentences
from kernel.answering.fences import fence_of
from kernel.answering.finishing import check
from kernel.answering.focus import focus
from kernel.answering.links import LinkGuard
from kernel.answering.means import Means
from kernel.answering.members import name_members
from kernel.answering.prompts import function_of, shows_examples
from kernel.answering.rendering import prompt_arguments, rendered_messages
from kernel.answering.run import Run
from kernel.answering.sampling import Sampled, sample
from kernel.answering.step_voting import Written, vote_by_steps
from kernel.answering.texts import say
from kernel.chat.chat_settings import GenerationSettings
from kernel.chat.extractive_chat import ExtractiveSettings
from kernel.chat.streaming import stream_prompt
from kernel.conversation.heard import render_memories
from kernel.functions.wording import render_results, tell, texts_of
from plugins.prompt_functions import LANGUAGES, PromptPassage, examples_of, render_passages, without_examples
from retrieval.errors import UsageError
from retrieval.stages import Step

_AGREED = 0.5
"""The share of drafts below which the vote is told to be uncertain."""


class Drafting:
    """Has drafts written by a variant."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def call_functions(self, run: Run, asked: Asked, *, is_answerable: bool) -> None:
        """Let the variant call functions, where it may; with the passages before it, where they are of use."""
        wanted = run.variant.calls_functions if asked.functions is None else asked.functions
        if self._means.functions is None or run.variant.counter is None or not wanted:
            return
        with run.clock("functions"):
            shown = focus(run.evidence, run.ranking, sentences=self._focused(run))
            passages = render_passages(shown, run.language, fence=run.fence) if is_answerable else ""
            await self._means.functions.call(self._means.kernel, run, passages)
        if run.functions:
            run.fence = fence_of(run.question, run.passages, texts_of(run.functions))
        run.results = render_results(run.functions, run.language, fence=run.fence)

    async def fill(self, run: Run, asked: Asked) -> None:
        """Choose the examples and the passages of the prompt, within their budgets."""
        with run.clock("budget"):
            function = function_of(self._means.kernel, run)
            if run.variant.counter is not None and shows_examples(function):
                run.examples = await self._means.examples.text(
                    run.question,
                    technique=run.technique.value,
                    language=run.language if run.language in LANGUAGES else "en",
                    wanted=examples_of(run.technique.value),
                    counter=run.variant.counter,
                    budget=self._means.limits.example_tokens,
                    caller=asked.caller,
                )
                if not run.examples:
                    run.prompt = without_examples(run.technique.value)
                    run.notices.append(
                        say("no_examples", run.language, tokens=self._means.limits.example_tokens)
                    )
            try:
                run.kept = await self._fit(run)
            except UsageError:
                if not run.results:
                    raise
                run.results = ""
                run.notices.append(tell("results_left_out", run.language))
                run.kept = await self._fit(run)
            run.used = frozenset(item.number - 1 for item in run.kept)

    async def generate(self, run: Run) -> AsyncGenerator[str, None]:
        """Yield the draft piece by piece."""
        settings = self._settings(run)
        arguments = self._arguments(run, run.kept, settings)
        function = function_of(self._means.kernel, run)
        guard = LinkGuard([run.question, *(item.text for item in run.kept)], run.language)
        # Ended by hand: between two pieces others are at work in this context.
        step, drained = run.clock("generate"), dict[str, Any]()
        try:
            async with aclosing(stream_prompt(self._means.kernel, function, arguments, drained)) as stream:
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
        name_members(run)

    async def vote(
        self, run: Run, samples: int, *, by_steps: bool = False, voters: Sequence[str] = ()
    ) -> None:
        """Write several drafts, and take the one that is elected; by steps, each step is elected.

        Where a variant cannot write on from a draft, its whole drafts are voted on.

        Args:
            run: the answer in the making.
            samples: how many drafts.
            by_steps: whether each step is elected.
            voters: other variants that write as many next steps each.
        """
        settings = GenerationSettings(
            service_id=run.variant.name,
            max_new_tokens=run.max_new_tokens,
            temperature=run.temperature or self._means.limits.sample_temperature,
            seed=self._means.limits.sample_seed,
            drafts=samples,
            about=run.question,
        )
        with run.clock("generate") as step:
            try:
                if by_steps and run.variant.goes_on:
                    sampled = await self._by_steps(run, settings, voters)
                else:
                    sampled = await sample(
                        self._means.kernel,
                        function_of(self._means.kernel, run),
                        self._arguments(run, run.kept, settings),
                        technique=run.technique.value,
                        question=run.question,
                        check=lambda text: check(self._means, run, text),
                    )
            except Exception as error:
                raise cause_of(error) from error
            facts = ("prompt_tokens", "completion_tokens", "finish_reason", "mean_log_probability")
            step.note(**{name: sampled.metadata[name] for name in facts if name in sampled.metadata})
        run.pieces, run.samples = [sampled.draft], sampled.samples
        run.metadata.update(sampled.metadata)
        name_members(run)
        if sampled.samples.agreement < _AGREED:
            share = round(100 * sampled.samples.agreement)
            run.notices.append(say("disagreement", run.language, n=sampled.samples.n, share=share))

    async def _by_steps(self, run: Run, settings: GenerationSettings, voters: Sequence[str]) -> Sampled:
        messages = await rendered_messages(
            self._means.kernel, function_of(self._means.kernel, run), self._arguments(run, run.kept, None)
        )

        async def go_on_by(name: str, draft: str, most: int, number: int) -> Written:
            history = ChatHistory()
            for message in (*messages, {"role": "assistant", "content": draft}):
                history.add_message(message)
            drawn = settings.model_copy(
                update={
                    "service_id": name,
                    "max_new_tokens": most,
                    "seed": (settings.seed or 0) + number * settings.drafts,
                }
            )
            service: Any = self._means.kernel.services[name]
            found = await service.get_chat_message_contents(history, drawn)
            counts = [message.metadata.get("completion_tokens", 0) for message in found]
            return Written(
                [str(message.content or "") for message in found],
                found[0].metadata.get("prompt_tokens", 0),
                sum(counts),
            )

        names = [run.variant.name, *voters]

        async def go_on(draft: str, most: int, number: int) -> Written:
            written = await asyncio.gather(*(go_on_by(name, draft, most, number) for name in names))
            return Written(
                [text for each in written for text in each.texts],
                sum(each.prompt_tokens for each in written),
                sum(each.completion_tokens for each in written),
            )

        return await vote_by_steps(
            go_on,
            samples=settings.drafts * len(names),
            question=run.question,
            language=run.language,
            max_new_tokens=run.max_new_tokens,
            check=lambda text: check(self._means, run, text),
        )

    async def _fit(self, run: Run) -> list[PromptPassage]:
        counter = run.variant.counter
        if counter is None:
            return focus(run.evidence, run.ranking, sentences=0)

        async def count(passages: Sequence[PromptPassage]) -> int:
            arguments = self._arguments(run, passages, None)
            messages = await rendered_messages(
                self._means.kernel, function_of(self._means.kernel, run), arguments
            )
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
        return self._means.limits.focus_sentences and max(self._means.limits.focus_sentences, run.parts)

    def _arguments(
        self, run: Run, passages: Sequence[PromptPassage], settings: PromptExecutionSettings | None
    ) -> KernelArguments:
        return prompt_arguments(
            run.question,
            passages,
            run.language,
            fence=run.fence,
            memories=run.heard.block,
            results=run.results,
            examples=run.examples,
            settings=settings,
        )

    def _settings(self, run: Run) -> PromptExecutionSettings:
        if run.variant.name == EXTRACTIVE:
            sentences = [item.sentence.text for item in choose_sentences(run.ranking, run.parts)]
            return ExtractiveSettings(service_id=EXTRACTIVE, sentences=sentences)
        return GenerationSettings(
            service_id=run.variant.name,
            max_new_tokens=run.max_new_tokens,
            temperature=run.temperature,
            seed=self._means.limits.sample_seed if run.temperature else None,
            about=run.question,
        )


_FACTS = (
    "prompt_tokens",
    "completion_tokens",
    "seconds_to_first_token",
    "finish_reason",
    "reused_tokens",
    "drafted_tokens",
    "accepted_tokens",
    "mean_log_probability",
)
"""What is told of a draft, where the engine told it."""


def _note_generation(step: Step, run: Run, error: BaseException | None = None) -> None:
    step.note(variant=run.variant.name, technique=run.technique.value)
    if run.variant.counter is not None:
        step.note(model=run.variant.model, max_new_tokens=run.max_new_tokens)
        if run.temperature:
            step.note(temperature=run.temperature)
        step.show(prompt=run.metadata.get("prompt", []))
    step.note(**{name: run.metadata[name] for name in _FACTS if name in run.metadata})
    step.show(draft="".join(run.pieces))
    step.end(error)
