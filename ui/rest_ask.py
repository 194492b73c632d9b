"""`/v1/ask`: a question answered as JSON or as events, and kept in the conversation that it names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse

from kernel.answer import Answer, AnswerEvent, AskEvent
from kernel.answering.texts import say
from kernel.app import Tekio
from kernel.conversation.history import GivenTurn
from plugins.memory.records import owner_of
from retrieval.access import Caller
from retrieval.errors import TekioError
from ui.audit import note_shown, noted
from ui.identity import caller_in
from ui.rest_description import EVENTS
from ui.rest_models import AskRequest, events_described
from ui.rest_stream import answer_unless_gone, begun, sse_events
from ui.stopping import Stopping
from ui.warmth import Warmth

_STREAM: dict[int | str, dict[str, Any]] = {
    200: events_described("the answer; as events when the request asks for a stream", EVENTS)
}


def add_ask_route(
    app: FastAPI, tekio: Tekio, errors: dict[int | str, dict[str, Any]], warmth: Warmth, stopping: Stopping
) -> None:
    """Add the address."""

    @app.post("/v1/ask", response_model=Answer, responses={**_STREAM, **errors}, tags=["answers"])
    async def ask(body: AskRequest, request: Request) -> Response | Answer:
        """Answer a question from the documents, with checked citations.

        With `conversation` the question follows the turns of that conversation of the caller's, and is kept there with
        its answer before that is sent. What came to no answer, or was left by its client before, is not kept.
        """
        caller = caller_in(request)
        history = await run_in_threadpool(_history, tekio, body, caller)

        def events() -> AsyncGenerator[AskEvent, None]:
            warmth.begin()
            note_shown(request, question=body.question)
            answered = tekio.ask_stream(
                body.question,
                variant=body.variant,
                technique=body.technique,
                top_k=body.top_k,
                language=body.language,
                where=body.where,
                multi_query=body.multi_query,
                strict=body.strict,
                history=history,
                conversation=body.conversation,
                follow_ups=body.follow_ups,
                memory=body.memory,
                samples=body.samples,
                functions=body.functions,
                caller=caller,
                max_new_tokens=body.max_new_tokens,
                max_prompt_tokens=body.max_prompt_tokens,
                cache=None if body.cache else False,
            )
            if body.conversation:
                answered = _kept(answered, tekio, body.conversation, caller)
            return stopping.watched(noted(request, answered))

        if body.stream or "text/event-stream" in request.headers.get("accept", ""):
            return EventSourceResponse(sse_events(await begun(request, events)))
        return await answer_unless_gone(request, events)


def _history(tekio: Tekio, body: AskRequest, caller: Caller | None) -> list[GivenTurn]:
    """Return the turns that a question follows: those that came with it, else those of its conversation."""
    if body.history or not body.conversation or not owner_of(caller):
        return [(turn.question, turn.answer, turn.asked) for turn in body.history]
    turns = tekio.memory.turns(body.conversation, caller=caller)
    return [(turn.question, turn.answer, turn.asked) for turn in turns]


async def _kept(
    events: AsyncGenerator[AskEvent, None], tekio: Tekio, conversation: str, caller: Caller | None
) -> AsyncGenerator[AskEvent, None]:
    """Pass on a stream, whose answer is kept before it is passed on; one that could not be kept says so."""
    async with aclosing(events) as stream:
        async for event in stream:
            if event.type == "answer":
                answer = event.answer
                try:
                    # In a thread, which ends what it began also where nobody waits for it any more.
                    await asyncio.to_thread(tekio.conversations.keep, conversation, answer, caller=caller)
                except TekioError as error:
                    notice = say("turn_not_kept", answer.language, reason=str(error))
                    answer = answer.model_copy(update={"notices": [*answer.notices, notice]})
                    event = AnswerEvent(answer=answer)
            yield event
