"""What the addresses of documents give."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from ui.rest_models import ErrorResponse


class UploadedFile(BaseModel):
    """What became of an uploaded file, in the words of an ingest."""

    id: str | None = Field(description="of the document, null where there is none of this file")
    document: str = Field(description="its name as it is shown: what was given, cleaned")
    outcome: Literal[
        "ok", "partial", "unchanged", "no_text_layer", "empty", "encrypted", "unsupported", "failed"
    ]
    chunks: int
    pages: int | None
    empty_pages: list[int]
    encoding: str | None
    message: str = Field(description="why it is not plainly `ok`, in one line")
    advice: str = Field(description="what to do about it")
    replaced: bool = Field(description="true: it took the place of an earlier upload of this name")


class UploadResponse(BaseModel):
    """What became of an upload."""

    added: int
    updated: int
    unchanged: int
    failed: int
    files: list[UploadedFile] = Field(description="in the order in which they came")


class FailedUpload(ErrorResponse):
    """An upload of which no file could be read."""

    files: list[UploadedFile]


class DocumentPassage(BaseModel):
    """A passage of a document."""

    id: int
    number: int = Field(description="its place in the document, from 1")
    page: int | None = Field(description="1-based page, null for formats without pages")
    headings: list[str]
    start: int = Field(description="character offset into the text of the document as it was read")
    end: int
    text: str


class DocumentPassages(BaseModel):
    """Passages of a document in their order."""

    passages: list[DocumentPassage]
    total: int = Field(description="how many the document has")


class DeletedDocument(BaseModel):
    """What was deleted. It was looked for again afterwards, and nothing of it was found."""

    document: str
    passages: int = Field(description="that are gone with their vectors and words")
    answers: int = Field(description="stored answers that rested on it and are gone")
    file: Literal["deleted", "kept"] = Field(
        description="`kept`: it was not uploaded; the next ingest of its folder reads it again"
    )
