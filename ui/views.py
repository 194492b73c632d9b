"""What the command line and the API show of passages and documents: the fields of their JSON.

The absolute path of a file is left out of what the API returns: it is nobody's business on the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pydantic import BaseModel, Field

from kernel.answer import (
    Answer,
    AnswerPassage,
    Citation,
    EnsembleReport,
    FinishReason,
    PipelineReport,
    PolicyReport,
    Usage,
)
from retrieval.records import DocumentSummary, Passage, document_key
from ui.locales import label


class LegView(BaseModel):
    """What one leg of the search makes of a passage."""

    score: float = Field(
        description="`dense`: cosine less that to the language's mean; `keyword`: BM25, in the fusion as a share of "
        "what it could be; `late`: late interaction; `cross`: cross-encoder"
    )
    rank: int = Field(description="place that this leg gives among all candidates")
    weight: float = Field(description="what the leg counts in the fusion")


class PassageView(BaseModel):
    """A passage that a search returned, best first."""

    id: int
    document_id: str = Field(description="of its document in /v1/documents/{id}")
    document: str = Field(description="name of the document, relative to the folder that was ingested")
    title: str
    page: int | None = Field(description="1-based page, null for formats without pages")
    text: str
    score: float = Field(description="comparable within one search only")
    similarity: float = Field(description="cosine of the query's and the passage's vectors")
    rank: int
    headings: list[str]
    start: int = Field(description="character offset into the text of the document as it was read")
    end: int
    also_in: list[str] = Field(description="other documents in which the same text stands")
    legs: dict[str, LegView] | None = Field(None, description="why it was found, where that was asked for")
    parts: dict[str, int] | None = Field(
        None,
        description="the ranks that the parts of the query give it, where that was asked for; empty for a query of one",
    )


class DocumentView(BaseModel):
    """A document of the index."""

    id: str = Field(description="stays the same however often the document is read anew")
    document: str
    title: str
    format: str
    language: str | None
    pages: int | None
    chunks: int
    characters: int
    outcome: str = Field(description="`ok`, or `partial` when some pages had no text")
    ingested_at: str
    created: str | None = Field(description="what the document says of itself, ISO 8601")
    modified: str | None = Field(description="what the document says of itself, else its file; ISO 8601")
    tags: dict[str, list[str]] = Field(description="its own key words and those given to it")
    owner: str = Field(description="the user whose it is; empty for none")
    readers: list[str] = Field(
        description="who else may read it: `*` for everyone, `user:NAME`, `group:NAME`"
    )


class CitationView(Citation):
    """A citation as an event of its own."""

    document_id: str = Field(
        description="of its document in /v1/documents/{id}; empty where that is not known"
    )


class DoneView(BaseModel):
    """The last event of an answer."""

    finish_reason: FinishReason
    usage: Usage
    variant: str
    technique: str
    refused: bool
    timings_ms: dict[str, float]
    ensemble: EnsembleReport | None = Field(None, description="set where an ensemble answered")
    pipeline: PipelineReport | None = Field(None, description="set where a pipeline answered")
    policy: PolicyReport | None = Field(None, description="set where a policy chose who answers")


def view_citation(answer: Answer, citation: Citation) -> CitationView:
    """Take over a citation of an answer."""
    passage = cited_passage(answer, citation)
    known = "" if passage is None else passage.document_id
    return CitationView(**citation.model_dump(), document_id=known)


def done_of(answer: Answer) -> DoneView:
    """Return how an answer ended, and what it took."""
    return DoneView.model_validate({name: getattr(answer, name) for name in DoneView.model_fields})


def view_passage(passage: Passage, *, explain: bool = False) -> PassageView:
    """Take over a passage of a search; with `explain` what each leg made of it too, and each part of the query."""
    legs = {
        name: LegView(score=leg.score, rank=leg.rank, weight=leg.weight) for name, leg in passage.legs.items()
    }
    return PassageView(
        id=passage.id,
        document_id=document_key(passage.path),
        document=passage.document,
        title=passage.title,
        page=passage.page,
        text=passage.text,
        score=passage.score,
        similarity=passage.similarity,
        rank=passage.rank,
        headings=list(passage.headings),
        start=passage.start,
        end=passage.end,
        also_in=list(passage.also_in),
        legs=legs if explain else None,
        parts=dict(passage.parts) if explain else None,
    )


def view_document(document: DocumentSummary) -> DocumentView:
    """Take over a row of the list of documents."""
    return DocumentView(
        id=document_key(document.path),
        document=document.document,
        title=document.title,
        format=document.format,
        language=document.language,
        pages=document.pages,
        chunks=document.chunks,
        characters=document.characters,
        outcome=document.outcome,
        ingested_at=document.ingested_at,
        created=document.created,
        modified=document.modified,
        tags={key: list(values) for key, values in document.tags.items()},
        owner=document.access.owner,
        readers=list(document.access.readers),
    )


def seconds_of(answer: Answer) -> float:
    """Return the time that an answer took, in seconds."""
    timings = answer.timings_ms
    return timings.get("total", sum(timings.values())) / 1000


def stored_note(answer: Answer, language: str) -> str:
    """Return a line that says that an answer was stored, of what age and for what question; empty for a new one."""
    if answer.cache is None:
        return ""
    seconds = answer.cache.age_seconds
    unit, length = next(
        (pair for pair in (("hours", 3600), ("minutes", 60)) if seconds >= 2 * pair[1]), ("seconds", 1)
    )
    age = label(f"age_{unit}", language, count=round(seconds / length))
    key = "stored" if answer.cache.hit == "exact" else "stored_similar"
    return label(key, language, age=age, question=answer.cache.question)


class Cited(Protocol):
    """What cites passages: an answer, a summary, a comparison."""

    @property
    def citations(self) -> Sequence[Citation]:
        """The citations; a marker is a place in `passages`, from 1."""

    @property
    def passages(self) -> Sequence[AnswerPassage]:
        """The passages."""


def cited_passage(answer: Cited, citation: Citation) -> AnswerPassage | None:
    """Return the passage that a citation's marker names."""
    place = citation.marker - 1
    return answer.passages[place] if 0 <= place < len(answer.passages) else None
