"""OpenAI's protocol over the collection: `/v1/chat/completions`, `/v1/embeddings` and `/v1/models`.

A model is a variant, or the embedder. So the official client and whatever is made with it can ask the documents.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncGenerator
from pathlib import PurePath
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse

from kernel.answer import AskEvent
from kernel.app import Tekio
from retrieval.errors import NotFoundError, UsageError
from ui.audit import note_shown, noted
from ui.identity import caller_in
from ui.openai_chat import check_supported, completion, completion_events, conversation_of
from ui.openai_models import (
    ChatCompletion,
    ChatRequest,
    Embedding,
    Embeddings,
    EmbeddingsRequest,
    EmbeddingsUsage,
    Model,
    Models,
    OpenAIErrorResponse,
    UnsupportedError,
)
from ui.rest_models import events_described
from ui.rest_stream import answer_unless_gone, begun
from ui.stopping import Stopping
from ui.warmth import Warmth

MOST_TEXTS = 256
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": OpenAIErrorResponse, "description": description}
    for status, description in {
        400: "what was asked for is wrong, or not done here; the message says what",
        404: "there is no such model",
        429: "too many ask at once; Retry-After says when to ask again",
        503: "not ready: no index yet, a model is missing",
    }.items()
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: events_described(
        "the completion; as pieces when the request asks for a stream",
        {"": "a chat.completion.chunk, an error, or [DONE]"},
    )
}


class ModelMissingError(NotFoundError):
    """There is no model of this name."""

    code = "model_not_found"
    param = "model"


def add_openai_routes(app: FastAPI, tekio: Tekio, warmth: Warmth, stopping: Stopping) -> None:
    """Add the addresses."""
    started = int(time.time())
    embedding = asyncio.Semaphore(1)  # those who wait do so here, and not in the threads that others need

    def models() -> list[Model]:
        usual = tekio.default_variant()
        answering = [
            Model(id=each.name, created=started, kind="answers", default=each.name == usual, variant=each)
            for each in tekio.variant_descriptions()
        ]
        return [*answering, Model(id=embedder_name(tekio), created=started, kind="embeddings")]

    @app.get("/v1/models", responses={503: _ERRORS[503]}, tags=["openai"])
    async def list_models() -> Models:
        """List who can answer, and what embeds."""
        return Models(data=await run_in_threadpool(models))

    @app.get("/v1/models/{model:path}", responses={404: _ERRORS[404], 503: _ERRORS[503]}, tags=["openai"])
    async def one_model(model: str) -> Model:
        """Describe one of them."""
        found = [each for each in await run_in_threadpool(models) if each.id == model]
        if not found:
            raise ModelMissingError(
                f"there is no model {model[:100]!r}; /v1/models lists those that there are"
            )
        return found[0]

    @app.post(
        "/v1/chat/completions",
        response_model=ChatCompletion,
        responses={**_STREAM, **_ERRORS},
        tags=["openai"],
    )
    async def chat_completions(body: ChatRequest, request: Request) -> Response | ChatCompletion:
        """Answer the last message of a conversation from the documents, with checked citations.

        The citations are in `tekio`, and as a list at the end of the text. A stream brings the checked answer, not the
        draft, since what was sent cannot be taken back.
        """
        check_supported(body)
        question, history = conversation_of(body.messages)
        known = await run_in_threadpool(tekio.variants)
        if body.model not in known:
            raise ModelMissingError(
                f"there is no model {body.model[:100]!r} that answers; there are {', '.join(known)}"
            )
        caller = caller_in(request)
        longest = body.max_completion_tokens or body.max_tokens
        said = body.tekio

        def events() -> AsyncGenerator[AskEvent, None]:
            warmth.begin()
            note_shown(request, question=question)
            answered = tekio.ask_stream(
                question,
                variant=body.model,
                technique=said.technique,
                top_k=said.top_k,
                language=said.language,
                where=said.where,
                multi_query=said.multi_query,
                strict=said.strict,
                history=history,
                conversation=said.conversation,
                memory=said.memory,
                caller=caller,
                max_new_tokens=None if longest is None else min(longest, tekio.settings.max_new_tokens),
                cache=None if said.cache else False,
            )
            return stopping.watched(noted(request, answered))

        if body.stream:
            usage = bool(body.stream_options and body.stream_options.include_usage)
            stream = await begun(request, events)
            return EventSourceResponse(completion_events(stream, sources=said.sources, usage=usage))
        return completion(await answer_unless_gone(request, events), sources=said.sources)

    @app.post("/v1/embeddings", responses=_ERRORS, tags=["openai"])
    async def embeddings(body: EmbeddingsRequest) -> Embeddings:
        """Embed texts by the index's own embedder."""
        name = embedder_name(tekio)
        if body.model != name:
            raise ModelMissingError(f"there is no model {body.model[:100]!r} that embeds; there is {name}")
        texts = _texts(body)
        try:
            async with embedding:
                found = await run_in_threadpool(
                    lambda: tekio.embed(texts, queries=body.input_type == "query")
                )
        except UsageError as error:
            raise UnsupportedError("input", str(error)) from error
        dimension = found.vectors.shape[1]
        if body.dimensions not in (None, dimension):
            raise UnsupportedError("dimensions", f"vectors have {dimension} dimensions here: leave it out")
        rows = [
            Embedding(index=number, embedding=_written(vector, body.encoding_format))
            for number, vector in enumerate(found.vectors)
        ]
        return Embeddings(
            data=rows,
            model=name,
            usage=EmbeddingsUsage(prompt_tokens=found.tokens, total_tokens=found.tokens),
        )


def embedder_name(tekio: Tekio) -> str:
    """Return what the embedder is called; of one in a folder the folder's own name alone."""
    name = tekio.settings.embedder
    return PurePath(name).name if name.startswith(("/", ".", "~")) or "\\" in name else name


def _texts(body: EmbeddingsRequest) -> list[str]:
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not texts or len(texts) > MOST_TEXTS:
        raise UnsupportedError("input", f"send 1 to {MOST_TEXTS} texts, not {len(texts)}")
    found = [text for text in texts if isinstance(text, str)]
    if len(found) != len(texts):
        raise UnsupportedError(
            "input",
            "send text: token numbers are another model's (LangChain: check_embedding_ctx_length=False)",
        )
    return found


def _written(vector: Any, form: str) -> list[float] | str:
    if form == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(value) for value in vector]
