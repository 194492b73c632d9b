"""A pipeline as a variant: a question is translated, answered, and the answer translated back, as its steps say.

What the documents say stays as it is: citations, quotes and passages are those of the step that answers.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from kernel.answer import Answer, AnswerEvent, AskEvent, PassagesEvent, PipelineReport, TokenEvent
from kernel.answering.asked import Asked
from kernel.answering.run import Clock
from kernel.composed.composition import AskMember
from kernel.pipelines.events import (
    PipelineDoneEvent,
    PipelineResult,
    StepFailedError,
    StepPassagesEvent,
    StepTokenEvent,
)
from kernel.pipelines.kinds import INPUT
from kernel.pipelines.running import Given, Pipeline, variants_of
from kernel.pipelines.settings import StepSettings
from kernel.pipelines.wording import tell
from kernel.techniques import Technique
from plugins.memory.rules import fact_to_remember
from retrieval.analysis import detect_language
from retrieval.errors import UsageError
from retrieval.stages import Step


@dataclass(frozen=True, slots=True)
class PipelineComposition:
    """Answers questions by a pipeline that has a step that answers."""

    pipeline: Pipeline
    first: StepSettings
    """The step that answers."""
    final: StepSettings
    """The step whose answer is given: that one, or one that translates what it said."""

    @classmethod
    def of(cls, pipeline: Pipeline) -> PipelineComposition:
        """Return a pipeline as a variant.

        Raises:
            UsageError: no step of it answers.
        """
        final = pipeline.settings.answering
        if final is None:
            raise UsageError(
                f"the pipeline '{pipeline.name}' has no step that answers, so that it answers no question: run it by "
                f"`tekio pipeline run {pipeline.name}`"
            )
        by_name = {step.name: step for step in pipeline.settings.steps}
        first = final
        while first.kind != "answer":
            first = by_name[pipeline.settings.sources(first)[0]]
        return cls(pipeline, first, final)

    @property
    def members(self) -> Sequence[str]:
        """The variants of its steps."""
        return variants_of(self.pipeline.settings, self.pipeline.around)

    @property
    def revision(self) -> str:
        """What changes with its steps, and with the models that they name."""
        steps = self.pipeline.settings.model_dump_json()
        models = [step.model for step in self.pipeline.settings.steps if step.model]
        told = [steps, *(self.pipeline.means.translators.revision(name) for name in models)]
        return "pipeline:" + hashlib.sha256("\0".join(told).encode()).hexdigest()[:16]

    @property
    def is_random(self) -> bool:
        """Whether a function outside may give something else the next time."""
        return any(step.kind == "function" for step in self.pipeline.settings.steps)

    async def stream(self, asked: Asked, ask: AskMember, root: Step) -> AsyncGenerator[AskEvent, None]:
        """Answer a question as a stream of events.

        Raises:
            StepFailedError: a step failed before there was an answer.
        """
        if fact_to_remember(asked.question) is not None:
            async with aclosing(ask(self._of_member(asked, self.first), root)) as remembered:
                async for event in remembered:
                    yield event
            return
        heard = await self._heard(asked, root)
        language = asked.language or detect_language(heard.question)
        asking = _Asking(heard, is_translated=self.final.kind != "answer")
        given = Given(heard.question, language, asked.caller, asking)
        try:
            async with aclosing(self.pipeline.events(given, ask, root)) as events:
                async for happened in events:
                    if isinstance(happened, StepPassagesEvent) and happened.step == self.first.name:
                        yield PassagesEvent(
                            passages=happened.passages,
                            variant=self.pipeline.name,
                            technique=happened.technique,
                            notices=happened.notices,
                        )
                    elif isinstance(happened, StepTokenEvent) and happened.step == self.final.name:
                        yield TokenEvent(text=happened.text)
                    elif isinstance(happened, PipelineDoneEvent):
                        yield AnswerEvent(answer=self._answer(happened.result, asked, heard, root))
        except StepFailedError as error:
            if error.result.answer is None:
                raise
            told = error.result.steps[-1]
            notice = tell("untranslated", given.language, step=told.name, reason=told.error)
            yield AnswerEvent(answer=self._answer(error.result, asked, heard, root, notice))

    async def _heard(self, asked: Asked, root: Step) -> Asked:
        """Return a question that stands alone, in its own language: what is translated is one sentence."""
        if not asked.history or asked.follow_ups == "off" or self._takes_input(self.first):
            return asked
        engine = self.pipeline.means.engine
        member = await asyncio.to_thread(engine.variants.get, self.pipeline.around.writer_of(self.first))
        heard = await engine.flow(asked.caller).hear(asked, member, root)
        return replace(asked, question=heard, history=())

    def _takes_input(self, step: StepSettings) -> bool:
        return self.pipeline.settings.sources(step) == [INPUT]

    def _of_member(self, asked: Asked, step: StepSettings) -> Asked:
        return replace(asked, variant=self.pipeline.around.writer_of(step), chosen=bool(step.variant))

    def _answer(self, result: PipelineResult, asked: Asked, heard: Asked, root: Step, *more: str) -> Answer:
        answer = result.answer
        assert answer is not None
        own = {step.name for step in self.pipeline.settings.steps if step.kind == "answer"}
        notices = [notice for step in result.steps if step.name not in own for notice in step.notices]
        return answer.model_copy(
            update={
                "question": asked.question,
                "asked": heard.question,
                "variant": self.pipeline.name,
                "notices": list(dict.fromkeys([*answer.notices, *notices, *more])),
                "pipeline": PipelineReport(steps=result.steps),
                "usage": answer.usage.model_copy(
                    update={
                        "prompt_tokens": result.usage.prompt_tokens,
                        "completion_tokens": result.usage.completion_tokens,
                        "cost": result.usage.cost,
                    }
                ),
                "timings_ms": Clock(root).timings(),
                "cache": None,
                "trace": None,
            }
        )


@dataclass(frozen=True, slots=True)
class _Asking:
    """Makes the question of a step that answers out of what was said with the pipeline's."""

    asked: Asked
    is_translated: bool
    """Whether its answer is translated, so that it is no matter of the step in which language it is given."""

    def __call__(self, step: StepSettings, question: str, variant: str) -> Asked:
        same = question == self.asked.question
        return replace(
            self.asked,
            question=question,
            variant=variant,
            chosen=bool(step.variant),
            technique=Technique(step.technique) if step.technique else self.asked.technique,
            top_k=step.top_k or self.asked.top_k,
            where=(*self.asked.where, *step.where),
            language=self.asked.language if same and not self.is_translated else None,
            history=self.asked.history if same else (),
            trace=False,
        )
