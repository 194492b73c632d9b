"""`GET /v1/documents`: all documents, or those that are looked for, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.concurrency import run_in_threadpool

from kernel.app import Tekio
from ui.document_list import fitting, narrowed
from ui.identity import caller_in
from ui.rest_health import counts_of
from ui.rest_models import WHERE, DocumentsResponse
from ui.views import view_document

_MOST_FILTERS = 20


def add_listing_route(app: FastAPI, tekio: Tekio, errors: Mapping[int | str, Any]) -> None:
    """Add the address."""

    @app.get("/v1/documents", responses={status: errors[status] for status in (422, 503)}, tags=["index"])
    async def documents(
        request: Request,
        limit: Annotated[
            int | None, Query(ge=1, le=10_000, description="how many at most; all unless given")
        ] = None,
        offset: Annotated[int, Query(ge=0, le=10**9, description="how many are left out before them")] = 0,
        search: Annotated[
            str,
            Query(
                max_length=1000,
                description="words that name, title, format, language or tags of each hold, in any order and case",
            ),
        ] = "",
        where: Annotated[list[str], Query(max_length=_MOST_FILTERS, description=WHERE)] = [],  # noqa: B006
    ) -> DocumentsResponse:
        """List the documents in the index, in the order of their names."""
        caller = caller_in(request)

        def found() -> DocumentsResponse:
            rows = tekio.documents(caller=caller)
            chosen = fitting(narrowed(rows, where), search)
            shown = chosen[offset:] if limit is None else chosen[offset : offset + limit]
            return DocumentsResponse(
                documents=[view_document(row) for row in shown], total=len(chosen), counts=counts_of(rows)
            )

        return await run_in_threadpool(found)
