"""`/v1/summarize`, `/v1/compare` and `/v1/extract`: over the documents that the caller may read."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field

from kernel.app import Tekio
from kernel.documents.results import Comparison, Extraction, Summary
from ui.audit import note_shown
from ui.identity import caller_in

_NAME = "name of a document, as /v1/documents lists it, or the end of it"


class _DocumentRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    # A name, not a path: a client must not make the server open folders of its choice.
    variant: str | None = Field(
        None, pattern=r"^[\w][\w.-]*$", max_length=100, description="who writes; see /v1/variants"
    )
    language: str | None = Field(None, description="`en` or `ja`; the document's own unless given")


class SummarizeRequest(_DocumentRequest):
    """A document to summarise."""

    document: str = Field(max_length=1000, description=_NAME)
    sentences: int = Field(5, ge=1, le=30, description="sentences of an extractive summary")


class CompareRequest(_DocumentRequest):
    """Two documents to compare."""

    first: str = Field(max_length=1000, description=_NAME)
    second: str = Field(max_length=1000, description=_NAME)
    about: str | None = Field(None, description="compares what is nearest to this alone")


class ExtractRequest(_DocumentRequest):
    """Facts to read out of a document, or out of what is found for a question."""

    document: str | None = Field(None, max_length=1000, description=_NAME)
    question: str | None = Field(None, description="is searched for, in place of a document")
    json_schema: dict[str, Any] = Field(
        alias="schema", description="a JSON Schema (draft 2020-12) of an object"
    )


def add_document_routes(app: FastAPI, tekio: Tekio, errors: dict[int | str, dict[str, Any]]) -> None:
    """Add the addresses."""

    @app.post("/v1/summarize", responses=errors, tags=["documents"])
    async def summarize(body: SummarizeRequest, request: Request) -> Summary:
        """Summarise a document, each sentence cited."""
        found = await tekio.summarize(
            body.document,
            sentences=body.sentences,
            variant=body.variant,
            language=body.language,
            caller=caller_in(request),
        )
        note_shown(request, documents=[found.document])
        return found

    @app.post("/v1/compare", responses=errors, tags=["documents"])
    async def compare(body: CompareRequest, request: Request) -> Comparison:
        """Compare two documents sentence by sentence: what they say alike, differently, and alone."""
        note_shown(request, question=body.about or "")
        found = await tekio.compare(
            body.first,
            body.second,
            about=body.about,
            variant=body.variant,
            language=body.language,
            caller=caller_in(request),
        )
        note_shown(request, documents=[found.first, found.second])
        return found

    @app.post("/v1/extract", responses=errors, tags=["documents"])
    async def extract(body: ExtractRequest, request: Request) -> Extraction:
        """Read facts out as JSON. Where the schema is not met, `valid` is false and `errors` name the properties."""
        found = await tekio.extract(
            body.json_schema,
            document=body.document,
            question=body.question,
            variant=body.variant,
            language=body.language,
            caller=caller_in(request),
        )
        shown = [each.document for each in found.passages]
        note_shown(request, question=body.question or "", documents=shown)
        return found
