"""What an answer rests on: the passages that were found, and what they make of its sentences."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from kernel.answer.frozen import FrozenModel


class Citation(FrozenModel):
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


class Claim(FrozenModel):
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


class Contradiction(FrozenModel):
    """Two documents that say different things of the same, each with its date where it is known."""

    first: Citation
    second: Citation
    first_date: str | None = None
    second_date: str | None = None
    about: str = Field(description="in what they differ: figure, limit or denial")


class ShortAnswer(FrozenModel):
    """The words of a citation's quote that alone would answer: the document's text from `start` to `end`."""

    text: str
    marker: int = Field(description="number of the passage, as in [1]")
    start: int = Field(description="character offset into the text of the document as it was read")
    end: int


class FoundBy(FrozenModel):
    """What one leg of the search made of a passage."""

    rank: int = Field(description="place that this leg gives it among all candidates, from 1")
    score: float = Field(description="as this leg counts, comparable within one search only")
    weight: float = Field(description="what the leg counts in the fusion")


class AnswerPassage(FrozenModel):
    """A passage that was found for the question. Its marker in the answer is its place in the list, from 1."""

    id: int
    document_id: str = Field(default="", description="of its document in /v1/documents/{id}")
    document: str
    title: str
    page: int | None
    text: str
    score: float
    headings: list[str] = Field(default=[])
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
