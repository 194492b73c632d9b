"""An answer with all that is told of it."""

from __future__ import annotations

from pydantic import Field

from kernel.answer.effort import CacheHit, FinishReason, TraceStep, Usage
from kernel.answer.frozen import FrozenModel
from kernel.answer.heard import AnswerConversation, AnswerMemory
from kernel.answer.reports import EnsembleReport, FunctionCall, PipelineReport, PolicyReport, Samples
from kernel.answer.sources import AnswerPassage, Citation, Claim, Contradiction, ShortAnswer


class Answer(FrozenModel):
    """A checked answer. A refusal has `refused` true, no citations, and says so in the question's language."""

    question: str
    asked: str = Field(
        default="",
        description="the question as it was searched for: a follow-up question made to stand alone",
    )
    answer: str
    refused: bool
    confidence: float = Field(description="estimated probability that the passages hold the answer")
    threshold: float = Field(default=0.0, description="the confidence below which a question is refused")
    citations: list[Citation]
    unsupported: list[str] = Field(
        description="sentences that no passage supports; in the answer [?] stands behind each, or they are left out"
    )
    short_answer: ShortAnswer | None = Field(
        default=None, description="the words within the first quote that answer, found by the reading model"
    )
    claims: list[Claim] = Field(default=[], description="each sentence with what the passages make of it")
    contradictions: list[Contradiction] = Field(
        default=[], description="documents that disagree about what may be the answer"
    )
    variant: str
    technique: str
    language: str
    reasoning: str | None = Field(
        default=None, description="steps before the answer, for chain_of_thought and hybrid"
    )
    samples: Samples | None = Field(
        default=None, description="the vote, where several drafts were asked for and written"
    )
    notices: list[str] = Field(
        default=[], description="what the reader should know, e.g. that another variant answered"
    )
    memories: list[AnswerMemory] = Field(default=[], description="what was remembered of it, best first")
    conversation: AnswerConversation | None = None
    functions: list[FunctionCall] = Field(
        default=[], description="functions that were called, in their order; empty where none was"
    )
    ensemble: EnsembleReport | None = Field(default=None, description="set where an ensemble answered")
    pipeline: PipelineReport | None = Field(default=None, description="set where a pipeline answered")
    policy: PolicyReport | None = Field(default=None, description="set where a policy chose who answers")
    passages: list[AnswerPassage]
    usage: Usage
    finish_reason: FinishReason
    log_probability: float | None = Field(
        default=None,
        description="natural logarithm of how likely the model found a token of what it wrote, the mean of all; null "
        "where its engine does not tell it, or where passages are quoted",
    )
    timings_ms: dict[str, float]
    cache: CacheHit | None = Field(default=None, description="set when this is a stored answer")
    trace: TraceStep | None = Field(default=None, description="set when it was asked for")
