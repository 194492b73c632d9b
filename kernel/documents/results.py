"""What comes of a document: the JSON of `tekio summarize`, `compare` and `extract`, and of their addresses."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from kernel.answer import AnswerPassage, Citation, FinishReason, FrozenModel, Usage

Difference = Literal["figures", "negation", "words"]


class _Result(FrozenModel):
    variant: str
    language: str
    notices: list[str] = Field(default=[], description="what the reader should know")
    passages: list[AnswerPassage] = Field(
        description="the passages that are cited; a marker is a place in this list, from 1"
    )
    usage: Usage = Usage()
    finish_reason: FinishReason = FinishReason.STOP
    timings_ms: dict[str, float]


class Summary(_Result):
    """A summary whose every sentence is cited, or listed as unsupported."""

    document: str
    title: str
    summary: str
    citations: list[Citation]
    unsupported: list[str] = Field(description="sentences that no passage of the document supports")


class Pair(FrozenModel):
    """A sentence of the first document and one of the second that say the same."""

    first: Citation
    second: Citation


class Change(FrozenModel):
    """Two sentences about the same thing that differ."""

    first: Citation
    second: Citation
    differs_in: list[Difference] = Field(
        description="`figures`: numbers, units and dates; `negation`: what one says and the other denies; `words`"
    )
    first_figures: list[str] = Field(description="figures that the first has and the second has not")
    second_figures: list[str] = Field(description="figures that the second has and the first has not")


class Comparison(_Result):
    """What two documents say alike, what differently, and what one of them says alone."""

    first: str = Field(description="name of the first document")
    second: str = Field(description="name of the second document")
    about: str | None = Field(default=None, description="what was compared; null for all")
    text: str = Field(description="the differences in words, by the language model; empty for `extractive`")
    citations: list[Citation] = Field(description="of the text")
    unsupported: list[str] = Field(description="sentences of the text that no passage supports")
    same: list[Pair]
    changed: list[Change]
    only_first: list[Citation]
    only_second: list[Citation]


class Value(FrozenModel):
    """A value that was read out."""

    path: str = Field(description="where it stands in the data, as a JSON pointer")
    value: Any
    citation: Citation | None = Field(description="where the document says it; null for a value that is null")


class Invalid(FrozenModel):
    """What is wrong with the data."""

    property: str = Field(description="JSON pointer; empty for the data as a whole")
    message: str


class Extraction(_Result):
    """Facts as JSON. Every value stands in the document; what a model wrote that does not is `rejected`."""

    source: str = Field(description="the document's name, or the question")
    data: Any
    valid: bool = Field(description="whether the data follows the schema")
    errors: list[Invalid] = Field(description="why not, property by property")
    values: list[Value]
    rejected: list[Value] = Field(description="values that the model wrote and the document does not hold")
    attempts: int = Field(description="how often the model was asked; 0 for `extractive`")
