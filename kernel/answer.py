"""What an answer is: the values that the command line, the API and the page all show.

The field names are the JSON of `tekio ask --json` and of `POST /v1/ask`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

BASE = "base"
"""The variant of the language model as it is."""
EXTRACTIVE = "extractive"
"""The variant without a language model."""


class Technique(StrEnum):
    """How the prompt is built."""

    ZERO_SHOT = "zero_shot"
    ONE_SHOT = "one_shot"
    FEW_SHOT = "few_shot"
    CHAIN_OF_THOUGHT = "chain_of_thought"
    HYBRID = "hybrid"


class FinishReason(StrEnum):
    """Why an answer ended: `repetition` is a model that went round in circles, `timeout` one that took too long."""

    STOP = "stop"
    LENGTH = "length"
    REPETITION = "repetition"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    REFUSED = "refused"


class NamedTechnique(str):
    """A technique that is a folder of the reader's own, used where one of `Technique` is."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """Its name."""
        return str(self)


STEPPED = (Technique.CHAIN_OF_THOUGHT, Technique.HYBRID)
"""The techniques that write steps before the answer."""


def technique_of(name: str) -> Technique | NamedTechnique:
    """Return a technique by its name, which was checked."""
    return Technique(name) if name in list(Technique) else NamedTechnique(name)


class _Frozen(BaseModel):
    # What is wrong with a value is told without the value, which can be a document's text.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Citation(_Frozen):
    """A place in a document that supports the answer. `quote` is the document's text from `start` to `end`."""

    marker: int = Field(description="number of the passage, as in [1]")
    document: str
    title: str
    page: int | None = Field(description="1-based page, null for formats without pages")
    start: int = Field(description="character offset into the text of the document as it was read")
    end: int
    quote: str
    score: float = Field(description="support of the answer's sentence by the quote, 0 to 1")


class ClaimStatus(StrEnum):
    """What the documents make of a sentence of an answer."""

    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"
    CONTRADICTED = "contradicted"


class Claim(_Frozen):
    """A sentence of the answer, held against the passages."""

    text: str = Field(description="without markers")
    start: int = Field(
        description="character offset into the answer; of one that was left out, where it would be"
    )
    end: int
    status: ClaimStatus
    reason: str = Field(
        default="",
        description="why it is not supported: words (nothing says so), or in what a passage that speaks of the same "
        "says something else: figure, name, denial, limit, model (the entailment model)",
    )
    score: float = Field(description="support by words, 0 to 1")
    citations: list[int] = Field(default=[], description="places in the answer's `citations`, from 0")
    against: Citation | None = Field(default=None, description="what contradicts it")


class Contradiction(_Frozen):
    """Two documents that say different things of the same, each with its date where it is known."""

    first: Citation
    second: Citation
    first_date: str | None = None
    second_date: str | None = None
    about: str = Field(description="in what they differ: figure, limit or denial")


class ShortAnswer(_Frozen):
    """The words of a citation's quote that alone would answer: the document's text from `start` to `end`."""

    text: str
    marker: int = Field(description="number of the passage, as in [1]")
    start: int = Field(description="character offset into the text of the document as it was read")
    end: int


class FoundBy(_Frozen):
    """What one leg of the search made of a passage."""

    rank: int = Field(description="place that this leg gives it among all candidates, from 1")
    score: float = Field(description="as this leg counts, comparable within one search only")
    weight: float = Field(description="what the leg counts in the fusion")


class AnswerPassage(_Frozen):
    """A passage that was found for the question. Its marker in the answer is its place in the list, from 1."""

    id: int
    document_id: str = Field(default="", description="of its document in /v1/documents/{id}")
    document: str
    title: str
    page: int | None
    text: str
    score: float
    headings: list[str] = []
    start: int
    end: int
    used: bool = Field(default=True, description="false when the passage was left out of the prompt")
    also_in: list[str] = Field(default=[], description="other documents in which the same text stands")
    date: str | None = Field(
        default=None, description="when the document was last changed, as it says itself"
    )
    found_by: dict[str, FoundBy] = Field(
        default={},
        description="why it was found: `dense` by meaning, `keyword` by words, `late`, `cross` read again",
    )


class Usage(_Frozen):
    """Tokens by the generating model's own tokenizer, of all that it was given and wrote for this question.

    Those of a draft count too where what is shown quotes the documents instead; without a draft there are none.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = Field(
        default=0, description="what a stored answer had taken, prompt and draft together"
    )
    passages_used: int = 0
    passages_omitted: int = 0
    cost: float | None = Field(
        default=None,
        description="what the tokens cost by price_in and price_out of the variants that wrote, in their currency; "
        "null where none of them has a price, and of a stored answer",
    )


def total_cost(costs: Iterable[float | None]) -> float | None:
    """Return the sum of those costs that are known; None where none is."""
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 9) if known else None


class AnswerMemory(_Frozen):
    """Something remembered for whoever asks that fits the question. It is no source: nothing cites it."""

    id: str
    kind: Literal["fact", "answer"] = Field(description="a fact, or a question with its answer")
    text: str = Field(description="the fact, or the question that was asked then")
    answer: str = ""
    created: str = ""
    confirmed_at: str = Field(default="", description="when the user last said that it is right, ISO 8601")
    score: float = Field(description="by meaning, age and confirmations, 0 to 1")
    similarity: float = Field(description="by meaning alone, 0 to 1")
    in_prompt: bool = Field(default=False, description="true when the language model was shown it")
    offered: bool = Field(
        default=False, description="true for an answer that the user confirmed to the same question"
    )


class AnswerConversation(_Frozen):
    """What was made of the turns before the question."""

    turns: int
    kept: int = Field(description="the newest turns, kept whole")
    summarized: int = Field(description="older turns that are in the summary")
    left_out: int = Field(description="the oldest turns, beyond the budget of the summary")
    tokens: int
    summary: str = ""
    rewritten_by: Literal["none", "rules", "model"] = "none"


class CacheHit(_Frozen):
    """Where a stored answer comes from."""

    hit: Literal["exact", "semantic"] = Field(
        description="`exact`: the same question; `semantic`: one that asks the same in other words"
    )
    question: str = Field(description="the question that was answered")
    age_seconds: float


class TraceStep(_Frozen):
    """A step of the work on a question, with the steps within it."""

    name: str
    start_ms: float = Field(description="since the question came in")
    ms: float
    notes: dict[str, str | int | float | bool | list[str]] = {}
    error: str = Field(default="", description="class of the error that ended it")
    prompt: list[dict[str, str]] | None = Field(
        default=None, description="messages that the model was given, each of `role` and `content`"
    )
    steps: list[TraceStep] = []


class Samples(_Frozen):
    """Drafts that were voted on."""

    n: int = Field(description="how many drafts were written")
    agreement: float = Field(description="share of them that say what the answer says, 0 to 1")


class FunctionCall(_Frozen):
    """A function that the model called for an answer: what with, and what came back."""

    name: str = Field(description="plugin and function, as in calculator-calculate")
    arguments: dict[str, Any]
    result: str | None = Field(default=None, description="what came back, null where it failed")
    error: str | None = Field(default=None, description="why there is no result")
    ms: float


class MemberAnswer(_Frozen):
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


class EnsembleReport(_Frozen):
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


class PipelineStep(_Frozen):
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


class PipelineReport(_Frozen):
    """What the steps of a pipeline gave, in their order."""

    steps: list[PipelineStep]


class PolicyReport(_Frozen):
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


class Answer(_Frozen):
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


class PassagesEvent(_Frozen):
    """The passages were found; generation begins (or is refused)."""

    type: Literal["passages"] = "passages"
    passages: list[AnswerPassage]
    variant: str
    technique: str
    notices: list[str] = []


class TokenEvent(_Frozen):
    """A piece of the draft as it is generated. The final answer may differ: it is checked, and then final."""

    type: Literal["token"] = "token"
    text: str


class AnswerEvent(_Frozen):
    """The last event of every stream: the checked answer, with its `finish_reason`."""

    type: Literal["answer"] = "answer"
    answer: Answer


AskEvent = Annotated[PassagesEvent | TokenEvent | AnswerEvent, Field(discriminator="type")]
