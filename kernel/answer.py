"""What an answer is: the values that the command line, the API and the page all show.

The field names are the JSON of `tekio ask --json` and of `POST /v1/ask`.
"""

from __future__ import annotations

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
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"
    REFUSED = "refused"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


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


class AnswerPassage(_Frozen):
    """A passage that was found for the question. Its marker in the answer is its place in the list, from 1."""

    id: int
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


class Usage(_Frozen):
    """Tokens by the generating model's own tokenizer; zero for `extractive`."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    passages_used: int = 0
    passages_omitted: int = 0


class FunctionCall(_Frozen):
    """A function that the model called for an answer: what with, and what came back."""

    name: str = Field(description="plugin and function, as in calculator-calculate")
    arguments: dict[str, Any]
    result: str | None = Field(default=None, description="what came back, null where it failed")
    error: str | None = Field(default=None, description="why there is no result")
    ms: float


class Answer(_Frozen):
    """A checked answer. A refusal has `refused` true, no citations, and says so in the question's language."""

    question: str
    answer: str
    refused: bool
    confidence: float = Field(description="estimated probability that the passages hold the answer")
    citations: list[Citation]
    unsupported: list[str] = Field(description="sentences of the answer that no passage supports")
    variant: str
    technique: str
    language: str
    reasoning: str | None = Field(
        default=None, description="steps before the answer, for chain_of_thought and hybrid"
    )
    notices: list[str] = Field(
        default=[], description="what the reader should know, e.g. that another variant answered"
    )
    functions: list[FunctionCall] = Field(
        default=[], description="functions that were called, in their order; empty where none was"
    )
    passages: list[AnswerPassage]
    usage: Usage
    finish_reason: FinishReason
    timings_ms: dict[str, float]


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
