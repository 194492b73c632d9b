"""`/v1/pipelines`: what is done in steps, as one result or as events of each step."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import FastAPI, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from kernel.app import Tekio
from kernel.pipelines.describing import PipelinesResponse, PipelineView
from kernel.pipelines.events import (
    PipelineDoneEvent,
    PipelineEvent,
    PipelineResult,
    StepFailedError,
    StepPassagesEvent,
)
from kernel.pipelines.kinds import MOST_CHARACTERS
from retrieval.errors import NotFoundError, TekioError, UsageError
from ui.audit import note_shown
from ui.identity import caller_in
from ui.rest_errors import body_of
from ui.rest_models import ErrorResponse, events_described
from ui.rest_problems import PROBLEM_JSON
from ui.rest_stream import begun, told, unless_gone
from ui.stopping import Stopping
from ui.warmth import Warmth

_NOTED = 2000
"""Characters of a text that the audit log keeps."""
_EVENTS = {
    "step": "a step begins: `name`, `kind`, `variant`",
    "passages": "what a step that answers has found",
    "token": "`text`, a piece of what `step` writes",
    "step_done": "what a step gave",
    "done": "the last: the whole result",
    "error": "a problem with `result`, what the steps before gave; after it nothing comes",
}
_NAME = Annotated[
    str,
    Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="`name` of a pipeline in /v1/pipelines"),
]


class PipelineRequest(BaseModel):
    """What a pipeline is given."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    text: str = Field(
        max_length=MOST_CHARACTERS, description="a text, or the question of a step that answers"
    )
    language: str | None = Field(None, description="of the text, `en` or `ja`; its own unless given")
    cache: bool = Field(True, description="false: answer anew, whatever is stored, and store nothing")
    stream: bool = Field(
        False,
        description="true: events `step`, `passages`, `token`, `step_done`, then `done` or `error`",
    )


class FailedPipeline(ErrorResponse):
    """A pipeline of which a step failed."""

    result: PipelineResult = Field(description="what the steps before it gave, and the step that failed")


def add_pipeline_routes(
    app: FastAPI, tekio: Tekio, errors: dict[int | str, dict[str, Any]], warmth: Warmth, stopping: Stopping
) -> None:
    """Add the addresses."""
    failed: dict[int | str, dict[str, Any]] = {
        status: {
            "model": FailedPipeline | ErrorResponse,
            "description": f"{errors[status]['description']}, or a step failed",
        }
        for status in (422, 429, 503)
    }
    answers: dict[int | str, dict[str, Any]] = {
        **errors,
        **failed,
        404: {"model": ErrorResponse, "description": "there is no such pipeline"},
        200: events_described("the result; as events when the request asks for a stream", _EVENTS),
    }

    @app.get("/v1/pipelines", responses=errors, tags=["pipelines"])
    async def pipelines() -> PipelinesResponse:
        """List the pipelines of the settings with their steps."""
        return PipelinesResponse(pipelines=await run_in_threadpool(tekio.pipelines))

    @app.get(
        "/v1/pipelines/{name}",
        responses={**errors, 404: answers[404]},
        tags=["pipelines"],
    )
    async def pipeline(name: _NAME) -> PipelineView:
        """Show one of them."""
        return await run_in_threadpool(_named, tekio, name)

    @app.post("/v1/pipelines/{name}", response_model=PipelineResult, responses=answers, tags=["pipelines"])
    async def run(name: _NAME, body: PipelineRequest, request: Request) -> Response | PipelineResult:
        """Run a pipeline. Steps that answer find what the caller may read; when the client leaves, it stops."""
        caller = caller_in(request)
        await run_in_threadpool(_named, tekio, name)

        def events() -> AsyncGenerator[PipelineEvent, None]:
            warmth.begin()
            note_shown(request, question=body.text[:_NOTED])
            done = tekio.run_pipeline_stream(
                name, body.text, language=body.language, caller=caller, cache=None if body.cache else False
            )
            return stopping.watched(_noted(request, done))

        if body.stream or "text/event-stream" in request.headers.get("accept", ""):
            return EventSourceResponse(_sent(await begun(request, events)))
        try:
            return await unless_gone(request, _last(events()))
        except StepFailedError as error:
            status, content = _failure(error)
            again = content["error"].get("retry_after")
            headers = {} if again is None else {"Retry-After": str(again)}
            return JSONResponse(content, status, headers=headers, media_type=PROBLEM_JSON)


def _named(tekio: Tekio, name: str) -> PipelineView:
    try:
        return tekio.pipeline(name)
    except UsageError as error:
        raise NotFoundError(str(error)) from error


async def _noted(
    request: Request, events: AsyncGenerator[PipelineEvent, None]
) -> AsyncGenerator[PipelineEvent, None]:
    async with aclosing(events) as stream:
        async for event in stream:
            if isinstance(event, StepPassagesEvent):
                note_shown(request, documents=[passage.document for passage in event.passages])
            yield event


async def _last(events: AsyncGenerator[PipelineEvent, None]) -> PipelineResult:
    async with aclosing(events) as stream:
        async for event in stream:
            if isinstance(event, PipelineDoneEvent):
                return event.result
    raise TekioError("the pipeline ended before it was done: run it again")


async def _sent(events: AsyncGenerator[PipelineEvent, None]) -> AsyncIterator[ServerSentEvent]:
    """Turn the events of a pipeline into server-sent ones; the last is always `done` or `error`."""
    try:
        async with aclosing(events) as stream:
            async for event in stream:
                if isinstance(event, PipelineDoneEvent):
                    yield ServerSentEvent(event="done", data=event.result.model_dump_json())
                else:
                    yield ServerSentEvent(event=event.type, data=event.model_dump_json(exclude={"type"}))
    except StepFailedError as error:
        yield ServerSentEvent(event="error", data=json.dumps(_failure(error)[1], ensure_ascii=False))
    except Exception as error:
        body = body_of(*told(error))
        yield ServerSentEvent(event="error", data=json.dumps(body, ensure_ascii=False))


def _failure(error: StepFailedError) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of a step that failed: of its kind of error, with what there is so far."""
    status, detail = told(error)
    return status, {**body_of(status, detail), "result": error.result.model_dump(mode="json")}
