"""The REST API: `create_app(tekio)` gives a FastAPI application over one facade."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse
from starlette.middleware.cors import CORSMiddleware

from kernel.app import Tekio
from kernel.settings import Settings
from ui.audit import Audit, AuditFile, note_shown
from ui.authentication import Authenticator
from ui.identity import caller_in
from ui.limits import Limits
from ui.rest_ask import add_ask_route
from ui.rest_auth import Door
from ui.rest_context import TraceContext
from ui.rest_conversations import add_conversation_routes
from ui.rest_description import DESCRIPTION
from ui.rest_docs import add_docs
from ui.rest_documents import add_document_routes
from ui.rest_errors import install_error_handlers
from ui.rest_examples import add_example_routes
from ui.rest_guard import Guard
from ui.rest_headers import SecurityHeaders
from ui.rest_health import add_health_routes
from ui.rest_jobs import add_job_routes
from ui.rest_json import JsonBodies
from ui.rest_library import add_library_routes
from ui.rest_listing import add_listing_route
from ui.rest_mcp import McpOverHttp, add_mcp_route
from ui.rest_memory import add_memory_routes
from ui.rest_models import ErrorResponse, SearchRequest, SearchResponse, VariantsResponse
from ui.rest_openai import add_openai_routes
from ui.rest_openapi import describe_wholly
from ui.rest_pipelines import add_pipeline_routes
from ui.rest_policies import add_policy_routes
from ui.rest_stream import answer_gone
from ui.server_logs import redaction_of
from ui.stopping import Stopping
from ui.views import view_passage
from ui.warmth import Warmth

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": description}
    for status, description in {
        400: "the body is not JSON",
        401: "a key is needed, or the one that came does not hold",
        403: "the key's scope is not enough",
        409: "the index was made with another embedding model",
        413: "the body is too large",
        422: "what was asked for is wrong; the message says what",
        429: "too many ask at once; Retry-After says when to ask again",
        503: "not ready: no index yet, the index is busy, a model is missing",
    }.items()
}


def create_app(
    tekio: Tekio,
    *,
    allowed_hosts: Collection[str] = (),
    exposed: bool = False,
    stopping: Stopping | None = None,
) -> FastAPI:
    """Build the API. The facade stays the caller's: it is not closed here.

    `allowed_hosts` are host names that requests may be for, beside `localhost` and numeric addresses.
    `exposed` says that others than this machine reach it, so that nobody is answered without a key or a name.
    `stopping` is told when the server stops.
    """
    warmth, audit = Warmth(tekio), _audit_file(tekio.settings)
    mcp = McpOverHttp(tekio) if tekio.settings.mcp_functions else None

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        warmth.begin()
        async with mcp.running() if mcp is not None else nullcontext():
            yield
        await warmth.end()
        if audit is not None:
            audit.close()

    app = FastAPI(
        title="Tekio",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
        responses={status: _ERRORS[status] for status in (401, 403)},
    )
    install_error_handlers(app)
    answer_gone(app)
    app.add_middleware(TraceContext)
    app.add_middleware(JsonBodies)
    _add_doors(app, tekio, audit, allowed_hosts=allowed_hosts, exposed=exposed)
    add_docs(app)
    stopping = stopping or Stopping()
    add_ask_route(app, tekio, _ERRORS, warmth, stopping)
    _add_routes(app, tekio)
    add_health_routes(app, tekio, warmth, exposed=exposed)
    add_memory_routes(app, tekio, _ERRORS)
    add_conversation_routes(app, tekio, _ERRORS)
    add_listing_route(app, tekio, _ERRORS)
    add_document_routes(app, tekio, _ERRORS)
    add_library_routes(app, tekio, _ERRORS)
    add_example_routes(app, tekio, _ERRORS)
    add_openai_routes(app, tekio, warmth, stopping)
    add_pipeline_routes(app, tekio, _ERRORS, warmth, stopping)
    add_job_routes(app, tekio, _ERRORS, stopping)
    add_policy_routes(app, tekio, _ERRORS)
    if mcp is not None:
        add_mcp_route(app, mcp)
    describe_wholly(app)
    return app


def _add_doors(
    app: FastAPI, tekio: Tekio, audit: AuditFile | None, *, allowed_hosts: Collection[str], exposed: bool
) -> None:
    """Add what stands before the routes; what is added last comes first."""
    settings = tekio.settings
    app.add_middleware(
        Door,
        authenticator=Authenticator(tekio, exposed=exposed),
        limits=Limits(settings.requests_per_minute),
    )
    app.add_middleware(Audit, file=audit)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["Authorization", "Content-Type", "Accept", "Last-Event-ID"],
            expose_headers=["Retry-After", "WWW-Authenticate"],
        )
    app.add_middleware(
        Guard,
        allowed_hosts=allowed_hosts,
        origins=settings.cors_origins,
        upload_bytes=settings.max_upload_mb * 2**20,
    )
    app.add_middleware(SecurityHeaders)


def _audit_file(settings: Settings) -> AuditFile | None:
    if settings.audit_log is None:
        return None
    return AuditFile(
        settings.audit_log,
        most_mb=settings.audit_log_mb,
        files=settings.audit_log_files,
        redaction=redaction_of(settings),
    )


def _add_routes(app: FastAPI, tekio: Tekio) -> None:
    @app.post("/v1/search", responses=_ERRORS, tags=["answers"])
    async def search(body: SearchRequest, request: Request) -> SearchResponse:
        """Find the passages nearest to a query, without generating anything."""
        caller = caller_in(request)
        passages = await tekio.search(
            body.query,
            top_k=body.top_k,
            where=body.where,
            mode=body.mode,
            diversity=body.diversity,
            merge=body.merge,
            parent=body.parent,
            multi_query=body.multi_query,
            caller=caller,
        )
        note_shown(request, question=body.query, documents=[passage.document for passage in passages])
        return SearchResponse(passages=[view_passage(passage, explain=body.explain) for passage in passages])

    @app.get("/v1/variants", tags=["answers"])
    async def variants() -> VariantsResponse:
        """Name who can answer and how prompts can be built; say of composed variants whom they ask."""
        found = await run_in_threadpool(tekio.variant_descriptions)
        return VariantsResponse(
            variants=[each.name for each in found],
            details=found,
            techniques=await run_in_threadpool(tekio.techniques),
            default_variant=await run_in_threadpool(tekio.default_variant),
            default_technique=tekio.settings.technique.value,
        )

    if tekio.settings.prometheus:

        @app.get("/metrics", tags=["service"], response_class=PlainTextResponse)
        async def metrics() -> Response:
            """Give the figures of the questions so far, as Prometheus reads them: no text of any of them."""
            figures = await tekio.figures()
            assert figures is not None
            return Response(figures[0], headers={"Content-Type": figures[1]})
