"""`/v1/documents`: uploads, and each document by its id: passages, the original file, images of pages, deletion."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import FastAPI, File, Form, Path, Query, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse

from kernel.app import Tekio
from kernel.library.library import LEAST_WIDTH, MOST_WIDTH, WIDTH
from kernel.library.page_render import PageImage
from kernel.library.results import ORIGINAL_TYPES, Upload
from retrieval.access import Access, Caller, access
from retrieval.filter_text import parse_tags
from retrieval.records import DocumentSummary
from ui.audit import note_shown
from ui.identity import caller_in
from ui.library_models import (
    DeletedDocument,
    DocumentPassages,
    FailedUpload,
    UploadedFile,
    UploadResponse,
)
from ui.library_views import view_part, view_reread, view_upload
from ui.rest_errors import body_of
from ui.rest_models import ErrorDetail, ErrorResponse
from ui.rest_problems import PROBLEM_JSON
from ui.views import DocumentView, view_document

_READ = ("ok", "partial", "unchanged")
_SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
_DRAWN_AT_ONCE = 4
_ID = Annotated[str, Path(pattern=r"^[0-9a-f]{24}$", description="`id` of a document in /v1/documents")]


def add_library_routes(app: FastAPI, tekio: Tekio, errors: Mapping[int | str, Any]) -> None:
    """Add the addresses."""
    one = {
        **errors,
        404: {"model": ErrorResponse, "description": "no such document that the caller may read"},
    }
    changed = {**one, 403: {"model": ErrorResponse, "description": "the caller may not do this with it"}}

    # Those who wait do so here, and not in the threads that other requests need.
    taking_in, drawing = asyncio.Semaphore(1), asyncio.Semaphore(_DRAWN_AT_ONCE)

    def who(request: Request) -> Caller | None:
        return caller_in(request)

    @app.post(
        "/v1/documents",
        response_model=UploadResponse,
        status_code=201,
        responses={
            **errors,
            403: changed[403],
            422: {
                "model": FailedUpload | ErrorResponse,
                "description": "no file could be read; `files` says why",
            },
        },
        tags=["documents"],
    )
    async def upload(
        request: Request,
        files: Annotated[list[UploadFile], File(description="one or several files")],
        tag: Annotated[list[str], Form(description="KEY=VALUE for all of them")] = [],  # noqa: B006 - FastAPI copies it
        share: Annotated[
            list[str],
            Form(
                description="who else reads them: `everyone`, `user:NAME` or `group:NAME`; else a named owner alone"
            ),
        ] = [],  # noqa: B006
        ocr: Annotated[bool | None, Form(description="read pages without text by text recognition")] = None,
    ) -> Response | UploadResponse:
        """Take in files: read, cut and embedded when this returns. What a file is, its content says.

        A file with the name of an earlier upload of the same owner takes its place. Of a file that cannot be read
        nothing is kept; the others are taken in all the same.
        """
        caller = who(request)
        given = [Upload(file.filename or "", file.file) for file in files]
        readers = _readers(share, caller)
        tags = parse_tags(tag)
        async with taking_in:
            report = await run_in_threadpool(
                lambda: tekio.library.upload(given, caller=caller, access=readers, tags=tags, ocr=ocr)
            )
        note_shown(request, documents=[file.name for file in report.files])
        view = view_upload(report)
        if report.failed < len(report.files):
            return view
        return _unread(view.files, "no file could be read")

    @app.get("/v1/documents/{document_id}", responses=one, tags=["documents"])
    async def document(document_id: _ID, request: Request) -> DocumentView:
        """Describe a document."""
        caller = who(request)
        row = await run_in_threadpool(lambda: tekio.library.get(document_id, caller=caller))
        note_shown(request, documents=[row.document])
        return view_document(row)

    @app.get("/v1/documents/{document_id}/passages", responses=one, tags=["documents"])
    async def passages(
        document_id: _ID,
        request: Request,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> DocumentPassages:
        """Read a document, passage by passage."""
        caller = who(request)
        rows = await run_in_threadpool(lambda: tekio.library.passages(document_id, caller=caller))
        note_shown(request, documents=[row.document for row in rows[:1]])
        return DocumentPassages(
            passages=[view_part(row) for row in rows[offset : offset + limit]], total=len(rows)
        )

    @app.get(
        "/v1/documents/{document_id}/original",
        response_class=Response,
        responses={
            **one,
            200: {
                "description": "the file, to be saved",
                "content": {
                    kind: {"schema": {"type": "string", "format": "binary"}} for kind in ORIGINAL_TYPES
                },
            },
        },
        tags=["documents"],
    )
    async def original(document_id: _ID, request: Request) -> FileResponse:
        """Give the file that was read, as long as it is still the same."""
        caller = who(request)
        found = await run_in_threadpool(lambda: tekio.library.original(document_id, caller=caller))
        note_shown(request, documents=[found.document])
        return FileResponse(
            found.path,
            media_type=found.media_type,
            filename=found.name,
            content_disposition_type="attachment",
            headers=_SAFE,
        )

    @app.get(
        "/v1/documents/{document_id}/pages/{page}.png",
        response_class=Response,
        responses={
            **one,
            200: {
                "description": "the page; the header `Tekio-Boxes` says how many places are marked",
                "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
            },
        },
        tags=["documents"],
    )
    async def page_image(
        document_id: _ID,
        page: Annotated[int, Path(ge=1, le=1_000_000)],
        request: Request,
        start: Annotated[
            int | None, Query(ge=0, le=10**9, description="of the span to mark, see `end`")
        ] = None,
        end: Annotated[
            int | None,
            Query(ge=0, le=10**9, description="character offsets, as a citation's `start` and `end`"),
        ] = None,
        width: Annotated[int, Query(ge=LEAST_WIDTH, le=MOST_WIDTH, description="pixels")] = WIDTH,
    ) -> Response:
        """Draw a page of a PDF, with a span of the text marked where it stands."""
        caller = who(request)

        def drawn() -> tuple[DocumentSummary, PageImage]:
            library = tekio.library
            image = library.page_image(document_id, page, start=start, end=end, width=width, caller=caller)
            return library.get(document_id, caller=caller), image

        async with drawing:
            row, image = await run_in_threadpool(drawn)
        note_shown(request, documents=[row.document])
        headers = {**_SAFE, "Tekio-Boxes": str(len(image.boxes)), "Cache-Control": "private, max-age=300"}
        return Response(image.png, media_type="image/png", headers=headers)

    @app.post(
        "/v1/documents/{document_id}/reread",
        response_model=UploadedFile,
        responses={
            **changed,
            422: {
                "model": FailedUpload | ErrorResponse,
                "description": "it could not be read; `files` says why",
            },
        },
        tags=["documents"],
    )
    async def reread(
        document_id: _ID,
        request: Request,
        ocr: Annotated[
            bool | None, Query(description="read pages without text by text recognition; else the setting")
        ] = None,
    ) -> Response | UploadedFile:
        """Read a document again from its file, under the name and with the readers and tags that it has.

        What has not changed is not read. Of a file that cannot be read any more the index keeps what it has.
        """
        caller = who(request)
        row = await run_in_threadpool(lambda: tekio.library.get(document_id, caller=caller))
        async with taking_in:
            report = await run_in_threadpool(lambda: tekio.reread(document_id, ocr=ocr, caller=caller))
        note_shown(request, documents=[row.document])
        view = view_reread(row, report)
        if view.outcome in _READ:
            return view
        return _unread([view], "the file could not be read")

    @app.delete("/v1/documents/{document_id}", responses=changed, tags=["documents"])
    async def delete(document_id: _ID, request: Request) -> DeletedDocument:
        """Delete a document: passages, vectors and words, stored answers, and the file if it was uploaded."""
        caller = who(request)
        gone = await run_in_threadpool(lambda: tekio.library.delete(document_id, caller=caller))
        note_shown(request, documents=[gone.document])
        return DeletedDocument(
            document=gone.document, passages=gone.passages, answers=gone.answers, file=gone.file
        )


def _unread(files: list[UploadedFile], what: str) -> JSONResponse:
    """Answer that nothing could be read, with what became of each file."""
    detail = ErrorDetail(type=files[0].outcome, message=f"{what}: {files[0].message}")
    rows = [file.model_dump() for file in files]
    return JSONResponse({**body_of(422, detail), "files": rows}, status_code=422, media_type=PROBLEM_JSON)


def _readers(share: list[str], caller: Caller | None) -> Access | None:
    """Return who may read an upload; None leaves it to the owner alone, or to everyone where nobody owns it."""
    if not share:
        return None
    return access("" if caller is None else caller.user, share)
