"""What comes of a pipeline, and the events on the way to it: the JSON of `tekio pipeline run` and of its address."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from kernel.answer import Answer, AnswerPassage, FrozenModel, PipelineStep, Usage
from retrieval.errors import TekioError


class PipelineResult(FrozenModel):
    """What the steps of a pipeline gave. Where one failed, those before it stand here with what they gave."""

    pipeline: str
    output: Any = Field(description="what the last step gave; null where a step failed")
    output_type: Literal["text", "answer", "label", "object", "list"]
    steps: list[PipelineStep] = Field(description="those that ran, in the order in which they did")
    not_run: list[str] = Field(default=[], description="steps behind one that failed")
    error: str = Field(default="", description="which step failed, and why")
    answer: Answer | None = Field(
        default=None, description="the checked answer with its passages, where a step answers"
    )
    usage: Usage = Usage()
    ms: float = 0.0


class StepBegunEvent(FrozenModel):
    """A step begins."""

    type: Literal["step"] = "step"
    name: str
    kind: str
    variant: str


class StepPassagesEvent(FrozenModel):
    """A step that answers has found its passages."""

    type: Literal["passages"] = "passages"
    step: str
    passages: list[AnswerPassage]
    technique: str
    notices: list[str] = Field(default=[])


class StepTokenEvent(FrozenModel):
    """A piece of what a step writes. What it gives in the end may differ: it is checked."""

    type: Literal["token"] = "token"
    step: str
    text: str


class StepDoneEvent(FrozenModel):
    """A step is done."""

    type: Literal["step_done"] = "step_done"
    step: PipelineStep


class PipelineDoneEvent(FrozenModel):
    """The last event of every stream: what the pipeline gave."""

    type: Literal["done"] = "done"
    result: PipelineResult


PipelineEvent = Annotated[
    StepBegunEvent | StepPassagesEvent | StepTokenEvent | StepDoneEvent | PipelineDoneEvent,
    Field(discriminator="type"),
]


class StepFailedError(TekioError):
    """A step of a pipeline failed; `result` has what the steps before it gave. Its cause says which kind of error."""

    def __init__(self, message: str, result: PipelineResult, cause: TekioError) -> None:
        super().__init__(message)
        self.result = result
        self.cause = cause
        self.exit_code = cause.exit_code
