"""Conversations over the API: those of the caller alone, whose identity is no part of a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from kernel.answer import Answer
from kernel.conversations import kept_answer
from plugins.memory.conversations import Conversation, KeptTurn
from ui.audit import note_shown
from ui.conversation_export import MEDIA_TYPES, exported
from ui.identity import caller_in

if TYPE_CHECKING:  # the client takes the models of this module, and is not to load an engine
    from kernel.app import Tekio

_NAME = Path(description="`id` of a conversation, as the list names it", max_length=200)
_NOT_FOUND = "the caller has no such conversation"


class ConversationView(BaseModel):
    """A conversation of the caller's."""

    id: str = Field(description="its name, as `conversation` of /v1/ask")
    title: str = Field(description="given by its user, else the first question")
    turns: int
    at: str = Field(description="when its last turn was, ISO 8601")


class TurnView(BaseModel):
    """A question with what became of it."""

    question: str
    asked: str = Field(description="the question as it was made to stand alone")
    text: str = Field(description="of the answer, or of the draft of one that was stopped")
    at: str
    finished: bool = Field(description="false where it came to no answer")
    answer: Answer | None = Field(None, description="the answer as it was given, where it was kept whole")


class WholeConversation(ConversationView):
    """A conversation with its turns, oldest first."""

    said: list[TurnView]


class ConversationsResponse(BaseModel):
    """The caller's conversations, the newest first."""

    conversations: list[ConversationView]


class RenameRequest(BaseModel):
    """A title."""

    model_config = ConfigDict(extra="forbid")
    title: str = Field(max_length=200, description="empty: the first question again")


class ForgottenResponse(BaseModel):
    """How many turns, and memories of this conversation alone, were deleted."""

    deleted: int


def add_conversation_routes(app: FastAPI, tekio: Tekio, errors: Mapping[int | str, Any]) -> None:
    """Add the addresses of conversations to an application."""
    responses = dict(errors)
    one = {**responses, 404: {**responses[503], "description": _NOT_FOUND}}
    kept = tekio.conversations
    tags: list[Any] = ["conversations"]

    @app.get("/v1/conversations", responses=responses, tags=tags)
    async def conversations(
        request: Request,
        search: Annotated[
            str, Query(max_length=500, description="those whose title or text holds this")
        ] = "",
    ) -> ConversationsResponse:
        """List or search the caller's conversations."""
        who = caller_in(request)
        rows = await run_in_threadpool(lambda: kept.listed(who, search=search))
        return ConversationsResponse(conversations=[_view(row) for row in rows])

    # Before the address of one, whose name may hold slashes.
    @app.get(
        "/v1/conversations/{conversation:path}/export",
        responses={
            **one,
            200: {"description": "the file", "content": {media: {} for media in MEDIA_TYPES.values()}},
        },
        response_class=Response,
        tags=tags,
    )
    async def export(
        request: Request,
        conversation: Annotated[str, _NAME],
        form: Annotated[
            Literal["markdown", "json", "pdf"], Query(alias="format", description="of the file")
        ] = "markdown",
        language: Annotated[Literal["en", "ja"], Query(description="of the words around it")] = "en",
    ) -> Response:
        """Take a conversation away as a file."""
        who = caller_in(request)

        def make() -> tuple[bytes, list[str]]:
            found, turns = kept.find(conversation, caller=who), kept.read(conversation, caller=who)
            return exported(found, turns, form, language), _quoted(_turn(turn) for turn in turns)

        made, quoted = await run_in_threadpool(make)
        note_shown(request, documents=quoted)
        return Response(made, media_type=MEDIA_TYPES[form], headers={"Content-Disposition": "attachment"})

    @app.get("/v1/conversations/{conversation:path}", responses=one, tags=tags)
    async def conversation(request: Request, conversation: Annotated[str, _NAME]) -> WholeConversation:
        """Return a conversation with its turns."""
        who = caller_in(request)

        def read() -> WholeConversation:
            found = kept.find(conversation, caller=who)
            said = [_turn(turn) for turn in kept.read(conversation, caller=who)]
            return WholeConversation(**_view(found).model_dump(), said=said)

        whole = await run_in_threadpool(read)
        note_shown(request, documents=_quoted(whole.said))
        return whole

    @app.patch("/v1/conversations/{conversation:path}", responses=one, tags=tags)
    async def rename(
        request: Request, conversation: Annotated[str, _NAME], body: RenameRequest
    ) -> ConversationView:
        """Give a conversation a title."""
        who = caller_in(request)
        return _view(await run_in_threadpool(lambda: kept.rename(conversation, body.title, caller=who)))

    @app.delete("/v1/conversations/{conversation:path}", responses=one, tags=tags)
    async def forget(request: Request, conversation: Annotated[str, _NAME]) -> ForgottenResponse:
        """Delete a conversation with all that is remembered for it alone."""
        who = caller_in(request)

        def delete() -> int:
            kept.find(conversation, caller=who)
            return tekio.memory.forget(conversation=conversation, caller=who)

        return ForgottenResponse(deleted=await run_in_threadpool(delete))


def _view(row: Conversation) -> ConversationView:
    return ConversationView(id=row.name, title=row.title, turns=row.turns, at=row.at)


def _quoted(said: Iterable[TurnView]) -> list[str]:
    """Name the documents of which the answers show something."""
    return [passage.document for turn in said if turn.answer for passage in turn.answer.passages]


def _turn(kept: KeptTurn) -> TurnView:
    turn = kept.turn
    return TurnView(
        question=turn.question,
        asked=turn.asked,
        text=turn.answer,
        at=kept.at,
        finished=kept.finished,
        answer=kept_answer(kept),
    )
