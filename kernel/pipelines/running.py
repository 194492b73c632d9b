"""A pipeline at work: its steps in their order, each within its time, as a stream of events.

The steps run in a task of their own, whoever reads the stream; when the reader leaves, the task is cancelled, and with
it what a model writes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from kernel.answer import (
    Answer,
    AnswerEvent,
    AskEvent,
    PassagesEvent,
    PipelineStep,
    TokenEvent,
    Usage,
    total_cost,
)
from kernel.answering.asked import Asked
from kernel.answering.causes import cause_of
from kernel.composed.composition import AskMember
from kernel.pipelines.checks import Surroundings
from kernel.pipelines.events import (
    PipelineDoneEvent,
    PipelineEvent,
    PipelineResult,
    StepBegunEvent,
    StepDoneEvent,
    StepFailedError,
    StepPassagesEvent,
    StepTokenEvent,
)
from kernel.pipelines.kinds import INPUT, MOST_CHARACTERS
from kernel.pipelines.seq2seq import NOBODY
from kernel.pipelines.settings import PipelineSettings, StepSettings
from kernel.pipelines.steps.calling import call
from kernel.pipelines.steps.classifying import classify
from kernel.pipelines.steps.prompting import prompt
from kernel.pipelines.steps.reading import read_out, summarise
from kernel.pipelines.steps.translating import translate
from kernel.pipelines.values import Made
from kernel.pipelines.work import Means, Work
from retrieval.access import Caller
from retrieval.errors import TekioError, UsageError
from retrieval.stages import Step

log = logging.getLogger("tekio.pipelines")

_DOING = {
    "translate": translate,
    "summarise": summarise,
    "classify": classify,
    "extract": read_out,
    "prompt": prompt,
    "function": call,
}


@dataclass(frozen=True, slots=True)
class Given:
    """What a pipeline is run for.

    Attributes:
        text: what it is given.
        language: of it, and of what is told to the reader.
        caller: whose rights hold for what is searched.
        asked_of: gives the question of a step that answers, as it is asked of its variant.
    """

    text: str
    language: str
    caller: Caller | None
    asked_of: Callable[[StepSettings, str, str], Asked]


@dataclass(slots=True)
class _Run:
    made: dict[str, Made]
    steps: list[PipelineStep] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    answer: Answer | None = None
    started: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline of the settings with what its steps are done with. Holds nothing of what it is given."""

    name: str
    settings: PipelineSettings
    means: Means
    around: Surroundings

    async def events(self, given: Given, ask: AskMember, root: Step) -> AsyncGenerator[PipelineEvent, None]:
        """Run the steps as a stream of events; the last is `done`.

        Args:
            given: what it is run for.
            ask: answers the questions of steps.
            root: gets the steps of the work.

        Raises:
            UsageError: nothing was given, or too much.
            StepFailedError: a step failed; has what those before it gave.
        """
        check_given(given.text)
        happened: asyncio.Queue[PipelineEvent | None] = asyncio.Queue()
        working = asyncio.create_task(self._work(given, ask, root, happened.put_nowait))
        working.add_done_callback(lambda _: happened.put_nowait(None))
        try:
            while (event := await happened.get()) is not None:
                yield event
            await working
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await working

    async def _work(
        self, given: Given, ask: AskMember, root: Step, tell: Callable[[PipelineEvent], None]
    ) -> None:
        run = _Run({INPUT: Made("text", given.text)})
        for step in self.settings.ordered:
            who = self.around.writer_of(step)
            tell(StepBegunEvent(name=step.name, kind=step.kind, variant=who or step.by))
            started = time.perf_counter()
            try:
                work = await self._begun(step, who, given, run, tell)
                with root.begin(f"step {step.name}") as timed:
                    timed.note(kind=step.kind, variant=who)
                    made = await self._done(work, given, ask, timed, tell)
                    timed.note(prompt_tokens=work.prompt_tokens, completion_tokens=work.completion_tokens)
            except Exception as error:
                cause = _clear(cause_of(error), step)
                run.steps.append(_failed(step, who, cause, started))
                message = f"the step '{step.name}' of the pipeline '{self.name}' failed: {cause}"
                raise StepFailedError(message, self._result(run, message), cause) from error
            run.made[step.name] = made
            run.usage = _added(run.usage, work)
            if isinstance(made.value, Answer):
                run.answer = made.value
            run.steps.append(_reported(work, made, started))
            tell(StepDoneEvent(step=run.steps[-1]))
        tell(PipelineDoneEvent(result=self._result(run, "")))

    async def _begun(
        self, step: StepSettings, who: str, given: Given, run: _Run, tell: Callable[[PipelineEvent], None]
    ) -> Work:
        inputs = [run.made[name] for name in self.settings.sources(step)]
        if not any(each.text.strip() for each in inputs):
            raise UsageError("its input is empty")
        variant = await asyncio.to_thread(self.means.engine.variants.get, who) if who else NOBODY
        self.means.engine.variants.check_room(variant)

        def hear(text: str) -> None:
            tell(StepTokenEvent(step=step.name, text=text))

        return Work(step, inputs, given.text, given.language, variant, self.means, given.caller, hear)

    async def _done(
        self, work: Work, given: Given, ask: AskMember, timed: Step, tell: Callable[[PipelineEvent], None]
    ) -> Made:
        try:
            async with asyncio.timeout(work.step.seconds):
                if work.step.kind == "answer":
                    return Made("answer", await _answered(work, given, ask, timed, tell))
                return await _DOING[work.step.kind](work)
        except TimeoutError as error:
            raise TekioError(
                f"it took longer than {work.step.seconds:g} s: raise its `seconds`, or give it less"
            ) from error

    def _result(self, run: _Run, error: str) -> PipelineResult:
        last, done = self.settings.last.name, {step.name for step in run.steps}
        return PipelineResult(
            pipeline=self.name,
            output=None if error else run.made[last].shown,
            output_type=self.settings.types[last],
            steps=run.steps,
            not_run=[step.name for step in self.settings.ordered if step.name not in done],
            error=error,
            answer=run.answer,
            usage=run.usage,
            ms=_ms(run.started),
        )


def check_given(text: str) -> None:
    """Check what a pipeline is given, before anything is done.

    Raises:
        UsageError: it is empty or too long.
    """
    if not text.strip():
        raise UsageError("there is nothing to do: the text is empty")
    if len(text) > MOST_CHARACTERS:
        raise UsageError(f"the text has {len(text):,} characters, {MOST_CHARACTERS:,} are the most")


async def _answered(
    work: Work, given: Given, ask: AskMember, timed: Step, tell: Callable[[PipelineEvent], None]
) -> Answer:
    asked = given.asked_of(work.step, work.text, work.variant.name)
    answer: Answer | None = None
    events: AsyncGenerator[AskEvent, None] = ask(asked, timed)
    async with aclosing(events) as stream:
        async for event in stream:
            if isinstance(event, PassagesEvent):
                tell(
                    StepPassagesEvent(
                        step=work.step.name,
                        passages=event.passages,
                        technique=event.technique,
                        notices=event.notices,
                    )
                )
            elif isinstance(event, TokenEvent):
                work.hear(event.text)
            elif isinstance(event, AnswerEvent):
                answer = event.answer
    if answer is None:
        raise TekioError("the answer ended before it was complete: ask again")
    work.prompt_tokens += answer.usage.prompt_tokens
    work.completion_tokens += answer.usage.completion_tokens
    work.asked.append(answer.usage.cost)
    work.notices += answer.notices
    return answer


def _reported(work: Work, made: Made, started: float) -> PipelineStep:
    return PipelineStep(
        name=work.step.name,
        kind=work.step.kind,
        variant=work.variant.name or work.step.by,
        type=made.type,
        output=made.shown,
        scores=work.scores or None,
        notices=work.notices,
        prompt_tokens=work.prompt_tokens,
        completion_tokens=work.completion_tokens,
        ms=_ms(started),
    )


def _failed(step: StepSettings, who: str, cause: TekioError, started: float) -> PipelineStep:
    return PipelineStep(
        name=step.name, kind=step.kind, variant=who or step.by, error=str(cause), ms=_ms(started)
    )


def _clear(error: BaseException, step: StepSettings) -> TekioError:
    """Return an error of ours: itself, or one line for what nobody foresaw."""
    if isinstance(error, TekioError):
        return error
    log.error("the step %s of a pipeline failed", step.name, exc_info=error)
    clear = TekioError(f"something went wrong inside ({type(error).__name__})")
    clear.__cause__ = error
    return clear


def _added(usage: Usage, work: Work) -> Usage:
    return usage.model_copy(
        update={
            "prompt_tokens": usage.prompt_tokens + work.prompt_tokens,
            "completion_tokens": usage.completion_tokens + work.completion_tokens,
            "cost": total_cost([usage.cost, work.cost]),
        }
    )


def _ms(started: float) -> float:
    return round(1000 * (time.perf_counter() - started), 1)


def variants_of(pipeline: PipelineSettings, around: Surroundings) -> Sequence[str]:
    """Return the variants that the steps are done by, each once."""
    return list(dict.fromkeys(who for step in pipeline.steps if (who := around.writer_of(step))))
