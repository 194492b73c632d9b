"""`/healthz` and `/readyz`: whether the process lives, and whether questions are answered at once.

A process that lives is left alone, whatever it waits for: ending it because its database is away would only lose its
models too. One that is not ready gets no requests until it is.
"""

from __future__ import annotations

import logging
from typing import Literal

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from kernel.app import Tekio
from retrieval.errors import TekioError
from retrieval.records import DocumentSummary
from ui.rest_errors import kind_of
from ui.rest_models import Counts, Health, Readiness
from ui.warmth import Warmth

log = logging.getLogger("tekio.rest")
RETRY_SECONDS = 5
_LOGGED = "something is missing: the log of the server says what"
INDEX = "index"


def add_health_routes(app: FastAPI, tekio: Tekio, warmth: Warmth, *, exposed: bool) -> None:
    """Add the addresses. Where others than this machine reach them, the log alone says what fails where."""
    kept: tuple[object, Counts] | None = None

    def counted() -> Counts | None:
        """Return how much the index holds, listed only when it has changed; None where there is no index."""
        nonlocal kept
        state = tekio.index_state()
        if state is None:
            return None
        if kept is None or kept[0] != state:
            kept = state, counts_of(tekio.documents())
        return kept[1]

    @app.get("/healthz", tags=["service"])
    async def healthz() -> Health:
        """Tell how the service stands, without any work of a model: 200 as long as the process answers."""
        status: Literal["ok", "no_index", "degraded"] = "degraded" if warmth.state == "failed" else "ok"
        try:
            counts = await run_in_threadpool(counted)
        except TekioError:
            counts, status = None, "degraded"
        else:
            status = "no_index" if counts is None else status
        return Health(
            status=status,
            index_present=counts is not None,
            counts=counts or Counts(documents=0, chunks=0),
            models=warmth.state,
        )

    @app.get(
        "/readyz",
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": "not ready; what is missing is named"}},
        tags=["service"],
    )
    async def readyz() -> JSONResponse:
        """Tell whether questions are answered at once: 200 when the index is there and the models are loaded."""
        try:
            is_indexed, message = await run_in_threadpool(tekio.index_state) is not None, ""
        except TekioError as error:
            is_indexed, message = False, kind_of(error)[1].message
        missing = [] if is_indexed else [INDEX]
        if warmth.state != "loaded":
            if warmth.state == "failed":
                message = message or warmth.failure
            missing += await run_in_threadpool(tekio.not_loaded)
            if is_indexed:  # nobody asks a service that is not ready, so that no question would load them
                warmth.begin()
        ready = is_indexed and warmth.state == "loaded"
        if message and exposed:  # nobody has said who they are
            log.warning("not ready: %s", message)
            message = _LOGGED
        found = Readiness(ready=ready, missing=missing, message=message).model_dump()
        if ready:
            return JSONResponse(found)
        return JSONResponse(found, status_code=503, headers={"Retry-After": str(RETRY_SECONDS)})


def counts_of(rows: list[DocumentSummary]) -> Counts:
    """Return how much documents are."""
    return Counts(documents=len(rows), chunks=sum(row.chunks for row in rows))
