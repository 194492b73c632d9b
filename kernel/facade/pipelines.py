"""Pipelines of the settings: listed, and run for a text or a question."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel.asking import AskOptions, check_language, understood
from kernel.facade.base import FacadeBase
from kernel.pipelines.describing import PipelineView, describe_pipelines
from kernel.pipelines.events import PipelineDoneEvent, PipelineEvent, PipelineResult
from kernel.pipelines.settings import StepSettings
from kernel.settings import Settings
from retrieval.access import Caller
from retrieval.analysis import detect_language
from retrieval.errors import IndexMissingError, TekioError, UsageError

if TYPE_CHECKING:
    from kernel.answering.asked import Asked
    from kernel.engine.engine import Engine


class PipelineWork(FacadeBase):
    """What is done in steps."""

    def pipelines(self) -> list[PipelineView]:
        """List the pipelines of the settings with their steps in the order in which they run. Loads nothing."""
        return describe_pipelines(self.settings.pipelines, self.settings.surroundings)

    def pipeline(self, name: str) -> PipelineView:
        """Return one of them.

        Raises:
            UsageError: there is none of this name.
        """
        views = {view.name: view for view in self.pipelines()}
        if name not in views:
            raise UsageError(f"there is no pipeline '{name}'; there are {', '.join(views) or 'none'}")
        return views[name]

    async def run_pipeline(
        self,
        name: str,
        text: str,
        *,
        language: str | None = None,
        caller: Caller | None = None,
        cache: bool | None = None,
    ) -> PipelineResult:
        """Run a pipeline, see `run_pipeline_stream`."""
        result: PipelineResult | None = None
        events = self.run_pipeline_stream(name, text, language=language, caller=caller, cache=cache)
        async with aclosing(events) as stream:
            async for event in stream:
                if isinstance(event, PipelineDoneEvent):
                    result = event.result
        if result is None:
            raise TekioError("the pipeline ended before it was done: run it again")
        return result

    async def run_pipeline_stream(
        self,
        name: str,
        text: str,
        *,
        language: str | None = None,
        caller: Caller | None = None,
        cache: bool | None = None,
    ) -> AsyncGenerator[PipelineEvent, None]:
        """Run a pipeline as a stream: each step as it begins, what it writes, what it gave; at last the result.

        Leaving the stream early stops what is under way.

        Args:
            name: of the pipeline.
            text: what it is given: a question, or a text.
            language: of the text, `en` or `ja`; None finds it out.
            caller: steps that answer find what this caller may read; None is who owns the machine.
            cache: false answers anew and stores nothing; None takes the setting.

        Raises:
            UsageError: there is no such pipeline, or nothing to do.
            StepFailedError: a step failed; has what those before it gave.
            IndexMissingError: there is no index yet, and a step answers from it.
        """
        self.pipeline(name)
        check_language(language)
        from kernel.pipelines.running import Given, check_given

        check_given(text)
        engine = await self._engine_for(name)
        options: AskOptions = {"caller": caller, "cache": cache}
        asking = _Asking(self.settings, options)
        given = Given(text, language or detect_language(text), caller, asking)
        with engine.root("pipeline") as root:
            root.note(pipeline=name)
            async with aclosing(engine.run_pipeline(name, given, root)) as events:
                async for event in events:
                    yield event

    async def _engine_for(self, name: str) -> Engine:
        """Return what does a pipeline's steps; one that works on its text alone needs no index."""
        try:
            return await self._started()
        except IndexMissingError:
            if any(step.kind == "answer" for step in self.settings.pipelines[name].steps):
                raise
            return await self._started_apart()


@dataclass(frozen=True, slots=True)
class _Asking:
    """Makes the question of a step that answers."""

    settings: Settings
    options: AskOptions

    def __call__(self, step: StepSettings, question: str, variant: str) -> Asked:
        said: AskOptions = {
            **self.options,
            "variant": variant,
            "technique": step.technique,
            "top_k": step.top_k,
            "where": step.where,
        }
        return understood(question, said, self.settings, usual=variant)
