"""What is remembered, over the API. Whose it is, is the caller's identity and no part of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from kernel.answer import Answer
from kernel.app import Tekio
from plugins.memory.records import Memory
from retrieval.access import Caller
from retrieval.errors import DeniedError, UsageError
from ui.audit import note_shown
from ui.identity import IDENTITY, Identity, caller_in
from ui.memory_views import FeedbackList, MemoryView, view_feedback, view_memories

_EXPIRES = "an ISO 8601 date or time after which it is deleted; a day alone is meant to its end, in UTC"


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RememberRequest(_Request):
    """A fact to remember, or a question with its answer."""

    text: str = Field(description="the fact or the question, at most 4,000 characters")
    answer: str = Field("", description="makes it a question with this answer")
    conversation: str = Field("", max_length=200, description="keep it for this conversation alone")
    expires: str = Field("", description=_EXPIRES)


class ChangeMemoryRequest(_Request):
    """What to change of a memory; what is left out stays."""

    text: str | None = None
    answer: str | None = None
    expires: str | None = Field(None, description=_EXPIRES + "; empty is never")
    confirm: bool = Field(False, description="true: note that it is right")


class MemoriesResponse(BaseModel):
    """What is remembered, the newest first."""

    memories: list[MemoryView]


class DeletedResponse(BaseModel):
    """How many were deleted."""

    deleted: int


class FeedbackRequest(_Request):
    """What a user says of an answer."""

    answer: Answer = Field(description="the answer as `/v1/ask` gave it")
    rating: Literal["up", "down"] = Field(description="`up` remembers the question with its answer")
    comment: str = Field("", max_length=4000)
    correction: str = Field("", max_length=20_000, description="the right answer, which is remembered")
    conversation: str = Field("", max_length=200)


class FeedbackResponse(BaseModel):
    """The number of the feedback, and what was remembered of it."""

    id: int
    memory: MemoryView | None


class OpenedRequest(_Request):
    """An answer of which a source was opened."""

    decision: str = Field(
        pattern=r"^[0-9a-f]{32}$", description="`policy.decision` of the answer, by which policies learn"
    )


class OpenedResponse(BaseModel):
    """Whether there is such a decision."""

    noted: bool


def add_memory_routes(app: FastAPI, tekio: Tekio, errors: Mapping[int | str, Any]) -> None:
    """Add the addresses of memory and feedback to an application."""
    responses = dict(errors)

    def caller(request: Request) -> Caller | None:
        return caller_in(request)

    def view(memory: Memory, who: Caller | None) -> MemoryView:
        return view_memories(tekio.memory, [memory], who)[0]

    @app.get("/v1/memory", responses=responses, tags=["memory"])
    async def memories(request: Request, conversation: str | None = None) -> MemoriesResponse:
        """List what is remembered for the caller."""
        who = caller(request)

        def run() -> MemoriesResponse:
            rows = tekio.memory.listed(who, conversation=conversation)
            return MemoriesResponse(memories=view_memories(tekio.memory, rows, who))

        return await run_in_threadpool(run)

    @app.post("/v1/memory", responses=responses, tags=["memory"])
    async def remember(body: RememberRequest, request: Request) -> MemoryView:
        """Remember something for the caller; the same thing again is the same memory."""
        who = caller(request)

        def run() -> MemoryView:
            memory = tekio.memory.add(
                body.text,
                answer=body.answer,
                conversation=body.conversation,
                expires=body.expires,
                caller=who,
            )
            return view(memory, who)

        return await run_in_threadpool(run)

    @app.patch("/v1/memory/{memory_id}", responses=responses, tags=["memory"])
    async def change(memory_id: str, body: ChangeMemoryRequest, request: Request) -> MemoryView:
        """Change or confirm a memory of the caller's."""
        who = caller(request)

        def run() -> MemoryView:
            memory = tekio.memory.edit(
                memory_id, text=body.text, answer=body.answer, expires=body.expires, caller=who
            )
            return view(tekio.memory.confirm(memory_id, caller=who) if body.confirm else memory, who)

        return await run_in_threadpool(run)

    @app.delete("/v1/memory/{memory_id}", responses=responses, tags=["memory"])
    async def delete(memory_id: str, request: Request) -> DeletedResponse:
        """Delete a memory of the caller's."""
        who = caller(request)
        deleted = await run_in_threadpool(lambda: tekio.memory.delete([memory_id], caller=who))
        return DeletedResponse(deleted=deleted)

    @app.delete("/v1/memory", responses=responses, tags=["memory"])
    async def forget(
        request: Request,
        conversation: str = "",
        everything: bool = Query(False, alias="all", description="true deletes all that is remembered"),
    ) -> DeletedResponse:
        """Delete all that is remembered for the caller, or what is kept for a conversation alone."""
        who = caller(request)
        if not everything and not conversation.strip():
            raise UsageError("say what to delete: a conversation, or all=true")
        chosen = None if everything else conversation.strip()
        deleted = await run_in_threadpool(lambda: tekio.memory.forget(conversation=chosen, caller=who))
        return DeletedResponse(deleted=deleted)

    @app.post("/v1/feedback", responses=responses, tags=["memory"])
    async def feedback(body: FeedbackRequest, request: Request) -> FeedbackResponse:
        """Keep what the caller says of an answer; a thumbs-up or a correction is remembered."""
        who = caller(request)

        def run() -> FeedbackResponse:
            number, memory = tekio.memory.rate(
                body.answer,
                body.rating,
                comment=body.comment,
                correction=body.correction,
                conversation=body.conversation,
                caller=who,
            )
            return FeedbackResponse(id=number, memory=None if memory is None else view(memory, who))

        return await run_in_threadpool(run)

    @app.get("/v1/feedback", responses=responses, tags=["memory"])
    async def list_feedback(
        request: Request,
        everybody: Annotated[
            bool, Query(description="true: what everybody said, for the scope `admin`; else the caller's own")
        ] = False,
        rating: Annotated[Literal["up", "down"] | None, Query(description="only of this one")] = None,
        limit: Annotated[int, Query(ge=1, le=500, description="how many at most")] = 100,
        offset: Annotated[int, Query(ge=0, le=10**9, description="how many newer ones are left out")] = 0,
    ) -> FeedbackList:
        """List what was said of answers."""
        identity: Identity = request.scope[IDENTITY]
        if everybody and not sees_everybody(identity):
            raise DeniedError(
                "what everybody said is for the scope admin: without everybody=true it is your own"
            )
        who = None if everybody else identity.caller
        rows, total = await run_in_threadpool(
            lambda: tekio.memory.feedback_page(
                caller=who, everybody=everybody, rating=rating or "", limit=limit, offset=offset
            )
        )
        found = [view_feedback(row) for row in rows]
        note_shown(request, documents=[name for row in found for name in row.cited])
        return FeedbackList(feedback=found, total=total)

    @app.post("/v1/feedback/opened", responses=responses, tags=["memory"])
    async def opened(body: OpenedRequest, request: Request) -> OpenedResponse:
        """Note that a source of an answer was opened, which policies learn from a little; not who did is kept."""
        caller(request)
        return OpenedResponse(
            noted=await run_in_threadpool(lambda: tekio.memory.opened_source(body.decision))
        )


def sees_everybody(identity: Identity) -> bool:
    """Say whether somebody may see what others said of answers: who runs the service, and no key for a part of it."""
    is_bound = identity.caller is not None and identity.caller.bound is not None
    return identity.scope == "admin" and not is_bound
