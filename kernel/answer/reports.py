"""How an answer came about: drafts, functions, members of an ensemble, steps of a pipeline, a policy's choice."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from kernel.answer.frozen import FrozenModel


class Samples(FrozenModel):
    """Drafts that were voted on."""

    n: int = Field(description="how many drafts were written")
    agreement: float = Field(description="share of them that say what the answer says, 0 to 1")


class FunctionCall(FrozenModel):
    """A function that the model called for an answer: what with, and what came back."""

    name: str = Field(description="plugin and function, as in calculator-calculate")
    arguments: dict[str, Any]
    result: str | None = Field(default=None, description="what came back, null where it failed")
    error: str | None = Field(default=None, description="why there is no result")
    ms: float


class MemberAnswer(FrozenModel):
    """What one member of an ensemble answered, and what it counted for."""

    variant: str
    technique: str
    answer: str = ""
    refused: bool = False
    confidence: float = 0.0
    weight: float | None = Field(
        default=None, description="what its voice counted; null where none were weighed"
    )
    score: float | None = Field(default=None, description="what the ensemble made of its answer")
    group: int | None = Field(default=None, description="the answers that say the same have one number")
    chosen: bool = Field(default=False, description="true for the answer that was taken")
    support: float = Field(default=0.0, description="how well the passages support its answer, 0 to 1")
    log_probability: float | None = Field(
        default=None, description="of its answer, see there; null where its engine does not tell it"
    )
    answered_by: str = Field(
        default="", description="who wrote it in the end: another than `variant` where its draft was given up"
    )
    error: str = Field(default="", description="why it gave no answer: it failed, or took too long")
    cached: bool = Field(default=False, description="true where its answer was stored")
    prompt_tokens: int = 0
    completion_tokens: int = 0
    ms: float = 0.0


class EnsembleReport(FrozenModel):
    """How an ensemble came to its answer."""

    rule: str = Field(description="how the answer was found among those of the members")
    members: list[MemberAnswer]
    not_asked: list[str] = Field(
        default=[], description="members that were not asked, since the answers before were sure enough"
    )
    tie: list[str] = Field(
        default=[], description="the answers between which the vote was even, best supported first"
    )
    explanation: str = Field(default="", description="in words, in the language of the answer")


class PipelineStep(FrozenModel):
    """What a step of a pipeline gave."""

    name: str
    kind: str
    variant: str = Field(default="", description="who wrote it; empty where no model did")
    type: Literal["text", "answer", "label", "object", "list"] | None = Field(
        default=None, description="of its output; null where the step failed"
    )
    output: Any = Field(
        default=None,
        description="text, a label, a list, an object, or an answer without its passages; null where the step failed",
    )
    scores: dict[str, float] | None = Field(
        default=None, description="of a label: the share of each there was to choose from, together 1"
    )
    notices: list[str] = Field(default=[], description="what the reader should know of it")
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str = Field(default="", description="why it gave nothing; the steps behind it did not run")
    ms: float = 0.0


class PipelineReport(FrozenModel):
    """What the steps of a pipeline gave, in their order."""

    steps: list[PipelineStep]


class PolicyReport(FrozenModel):
    """What a policy chose for a question."""

    variant: str
    technique: str
    temperature: float = 0.0
    top_k: int
    probability: float = Field(description="with which this was chosen")
    default: bool = Field(description="true where this is the safe default")
    reason: str = Field(default="", description="in words, in the language of the answer")
    decision: str = Field(
        default="", description="its name, by which what is said of the answer is learnt from; empty for none"
    )
