"""`/v1/jobs`: long work beside the server, with its progress as events. For whoever runs the service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import Body, FastAPI, Header, Path, Request
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse, ServerSentEvent

from kernel.app import Tekio
from ui.identity import caller_in
from ui.jobs.jobs import Jobs
from ui.jobs.kinds import JobRequest
from ui.jobs.models import JobProgress, JobsResponse, JobView, JobWithResult
from ui.jobs.records import Job
from ui.rest_errors import body_of
from ui.rest_models import ErrorResponse, events_described
from ui.rest_stream import told
from ui.stopping import Stopping

_LOOKED = 0.3
"""Seconds between two looks at the events of a job."""
_EVENTS = {
    "message": "`message`, a line that it said",
    "progress": "`done` of `total`, and what else is known",
    "done": "the last: `state`, `exit_code`",
    "error": "a problem, after which nothing comes; the job goes on, and can be followed anew",
}
_ID = Annotated[str, Path(pattern=r"^[0-9a-f]{24}$", description="`id` of a job in /v1/jobs")]


def add_job_routes(
    app: FastAPI, tekio: Tekio, errors: dict[int | str, dict[str, Any]], stopping: Stopping
) -> None:
    """Add the addresses."""
    jobs = Jobs(tekio.settings)
    one = {**errors, 404: {"model": ErrorResponse, "description": "there is no such job"}}
    started = {**one, 409: {"model": ErrorResponse, "description": "a job of this kind is under way"}}

    @app.post("/v1/jobs", status_code=202, responses=started, tags=["jobs"])
    async def start(body: Annotated[JobRequest, Body()], request: Request) -> JobView:
        """Start an ingest, a fine-tune, an evaluation, or a fit of an ensemble or a policy; one of each kind."""
        who = caller_in(request)
        by = who.user if who is not None else ""
        return _view(await run_in_threadpool(lambda: jobs.start(body, by=by)))

    @app.get("/v1/jobs", responses=errors, tags=["jobs"])
    async def list_jobs() -> JobsResponse:
        """List the jobs."""
        return JobsResponse(jobs=[_view(job) for job in await run_in_threadpool(jobs.listed)])

    @app.get("/v1/jobs/{job_id}", responses=one, tags=["jobs"])
    async def job(job_id: _ID) -> JobWithResult:
        """Tell how a job stands, and what it gave."""
        found = await run_in_threadpool(lambda: jobs.get(job_id))
        result = await run_in_threadpool(lambda: jobs.result(job_id))
        return JobWithResult(**_view(found).model_dump(), result=result)

    @app.get(
        "/v1/jobs/{job_id}/events",
        response_class=EventSourceResponse,
        responses={
            **one,
            200: events_described("from the beginning of the job, or behind an event, to its end", _EVENTS),
        },
        tags=["jobs"],
    )
    async def events(
        job_id: _ID,
        last_event_id: Annotated[
            int, Header(ge=0, le=10**9, description="go on behind this event, as browsers do by themselves")
        ] = 0,
    ) -> EventSourceResponse:
        """Follow a job."""
        await run_in_threadpool(lambda: jobs.get(job_id))
        return EventSourceResponse(_events(stopping.watched(_followed(jobs, job_id, last_event_id))))

    @app.delete("/v1/jobs/{job_id}", responses=one, tags=["jobs"])
    async def cancel(job_id: _ID) -> JobView:
        """Cancel a job; one that has ended stays as it is. Its events tell when it has ended."""
        return _view(await run_in_threadpool(lambda: jobs.cancel(job_id)))


async def _followed(jobs: Jobs, job_id: str, after: int) -> AsyncGenerator[ServerSentEvent, None]:
    while True:
        # Looked at before the events, so that none is missed that came before its end.
        has_ended = (await run_in_threadpool(jobs.get, job_id)).has_ended
        events = await run_in_threadpool(jobs.events, job_id, after)
        if has_ended and not events:
            return  # whoever asks has heard its end
        for event in events:
            after = event.pop("n")
            name = event.pop("event")
            yield ServerSentEvent(data=json.dumps(event, ensure_ascii=False), event=name, id=str(after))
            if name == "done":
                return
        await asyncio.sleep(_LOOKED)


async def _events(stream: AsyncGenerator[ServerSentEvent, None]) -> AsyncIterator[ServerSentEvent]:
    try:
        async with aclosing(stream) as events:
            async for event in events:
                yield event
    except Exception as error:  # the server stops, and the job goes on
        body = body_of(*told(error))
        yield ServerSentEvent(data=json.dumps(body, ensure_ascii=False), event="error")


def _view(job: Job) -> JobView:
    return JobView(
        id=job.id,
        kind=job.kind,
        state=job.state,
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        by=job.by,
        options=job.options,
        progress=JobProgress(**job.progress) if job.progress else None,
        message=job.message,
        exit_code=job.exit_code,
    )
