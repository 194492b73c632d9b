"""From a question to a checked answer.

find the question's parts, retrieve, rank sentences, estimate answerability, fit the budget, generate, check the
citations. What does each is given; what runs the model is Semantic Kernel: a prompt function, with the variant
chosen by its name.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from semantic_kernel import Kernel

from kernel.answer import AnswerEvent, AskEvent, PassagesEvent, TokenEvent
from kernel.answering.asked import Asked
from kernel.answering.drafting import Drafting
from kernel.answering.finishing import Finishing
from kernel.answering.means import Means
from kernel.answering.parts import MultiQuery
from kernel.answering.preparing import Preparing
from kernel.answering.run import Clock, Variant, shown_passages
from plugins.memory.rules import fact_to_remember
from retrieval.stages import Step


class AnswerFlow:
    """Answers questions over one kernel. Holds no state between questions."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._preparing = Preparing(means)
        self._drafting = Drafting(means)
        self._finishing = Finishing(means)

    def over(self, kernel: Kernel) -> AnswerFlow:
        """Return the same flow over another kernel with the same functions."""
        return AnswerFlow(replace(self._means, kernel=kernel))

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
            answer = await self._means.listener.remember(self._means.kernel, asked, fact)
            yield PassagesEvent(passages=[], variant=answer.variant, technique=answer.technique)
            yield AnswerEvent(answer=answer)
            return
        run = await self._preparing.prepare(asked, variant, Clock(root))
        yield PassagesEvent(
            passages=shown_passages(run.passages, frozenset(range(len(run.passages)))),
            variant=run.variant.name,
            technique=run.technique.value,
            notices=run.notices,
        )
        is_answerable = run.confidence >= self._means.limits.threshold and bool(run.ranking.sentences)
        await self._drafting.call_functions(run, asked, is_answerable=is_answerable)
        if not is_answerable:
            yield AnswerEvent(answer=self._finishing.from_functions(run) or self._finishing.refusal(run))
            return
        await self._drafting.fill(run, asked)
        if asked.samples > 1 and run.variant.counter is not None:
            await self._drafting.vote(run, asked.samples, by_steps=asked.step_votes, voters=asked.step_voters)
        else:
            async with aclosing(self._drafting.generate(run)) as pieces:
                async for piece in pieces:
                    yield TokenEvent(text=piece)
        yield AnswerEvent(answer=await self._finishing.finish(run))

    async def hear(self, asked: Asked, variant: Variant, root: Step) -> str:
        """Return a question of a conversation as it stands alone; nothing is recalled."""
        silent = replace(asked, memory=False)
        return (await self._means.listener.hear(self._means.kernel, silent, variant, Clock(root))).question

    async def parts(self, question: str, variant: Variant, way: MultiQuery) -> tuple[str, ...]:
        """Return the parts of a question, see `find_parts`; a model that splits it is the variant."""
        return await self._preparing.parts(question, variant, way)
