"""Pipelines as they are shown: their steps in the order in which they run, with what each takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kernel.pipelines.checks import Surroundings
from kernel.pipelines.settings import PipelineSettings, StepSettings

_TOLD_APART = {"name", "kind", "input", "variant"}


class StepView(BaseModel):
    """A step."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    input: list[str] = Field(description="`input`, which is what the pipeline is given, or names of steps")
    variant: str = Field(description="who does it; empty where a model of its own or a function does")
    gives: Literal["text", "answer", "label", "object", "list"]
    parameters: dict[str, Any] = Field(description="what else the settings say of it")


class PipelineView(BaseModel):
    """A pipeline."""

    model_config = ConfigDict(frozen=True)

    name: str
    description: str
    steps: list[StepView] = Field(description="in the order in which they run")
    gives: Literal["text", "answer", "label", "object", "list"] = Field(
        description="what its last step gives"
    )
    answers: bool = Field(description="whether it is a variant too, which /v1/ask can name")


class PipelinesResponse(BaseModel):
    """The pipelines of the settings."""

    pipelines: list[PipelineView]


def describe_pipelines(pipelines: Mapping[str, PipelineSettings], around: Surroundings) -> list[PipelineView]:
    """Describe pipelines."""
    return [
        PipelineView(
            name=name,
            description=pipeline.description,
            steps=[_step(step, pipeline, around) for step in pipeline.ordered],
            gives=pipeline.types[pipeline.last.name],
            answers=pipeline.answering is not None,
        )
        for name, pipeline in pipelines.items()
    ]


def _step(step: StepSettings, pipeline: PipelineSettings, around: Surroundings) -> StepView:
    model = {"model": step.by} if step.model else {}
    said = step.model_dump(
        mode="json", by_alias=True, exclude_unset=True, exclude=_TOLD_APART | {"arguments"}
    )
    return StepView(
        name=step.name,
        kind=step.kind,
        input=pipeline.sources(step),
        variant=around.writer_of(step),
        gives=pipeline.types[step.name],
        parameters=said | model,
    )
