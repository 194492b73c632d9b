"""A chat completion to a question and its history, and a checked answer to a chat completion."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Literal

from sse_starlette import ServerSentEvent

from kernel.answer import Answer, AskEvent, FinishReason
from kernel.conversation.history import MOST_TURNS, PastTurn
from ui.answer_text import source_line
from ui.locales import LANGUAGES, label
from ui.openai_models import (
    AssistantMessage,
    ChatCompletion,
    ChatMessage,
    ChatRequest,
    ChatTokens,
    ChatUsage,
    Choice,
    TekioPart,
    UnsupportedError,
)
from ui.plaintext import plain
from ui.rest_problems import openai_error
from ui.rest_stream import told
from ui.views import cited_passage

_PIECE = re.compile(r"[\x21-\u2fff]{1,24}\s*|[^\x21-\u2fff\s]{1,8}\s*|\s+")


def check_supported(body: ChatRequest) -> None:
    """Check that nothing is asked for that would be passed over in silence, though the answer should depend on it.

    Raises:
        UnsupportedError: it is.
    """
    if body.n is not None and body.n != 1:
        raise UnsupportedError("n", "one answer is given: n is 1")
    if body.functions or (body.tools and body.tool_choice != "none"):
        param = "functions" if body.functions else "tools"
        raise UnsupportedError(param, "tools of the client are not called here: leave them out")
    form = (body.response_format or {}).get("type", "text")
    if form != "text":
        raise UnsupportedError(
            "response_format", "answers are text; /v1/extract gives JSON that follows a schema"
        )
    if body.stop:
        raise UnsupportedError("stop", "answers end where they end: leave stop out")
    if body.logprobs:
        raise UnsupportedError("logprobs", "probabilities of tokens are not given: leave logprobs out")


def conversation_of(messages: Sequence[ChatMessage]) -> tuple[str, list[PastTurn]]:
    """Return the question and the turns before it, oldest first, the newest 2,000.

    Raises:
        UnsupportedError: the last message is not the user's, or one has something else than text.
    """
    if messages[-1].role != "user":
        raise UnsupportedError("messages", "the last message has to be the user's: it is the question")
    question = _text(messages[-1])
    turns: list[PastTurn] = []
    asked, answered = "", ""
    for message in messages[:-1]:
        if message.role == "user":
            if asked:
                turns.append(PastTurn(asked, answered))
            asked, answered = _text(message), ""
        elif message.role == "assistant" and asked:
            answered = "\n".join(part for part in (answered, without_sources(_text(message))) if part)
    if asked:
        turns.append(PastTurn(asked, answered))
    return question, turns[-MOST_TURNS:]


def _text(message: ChatMessage) -> str:
    if message.content is None or isinstance(message.content, str):
        return message.content or ""
    other = [part.type for part in message.content if part.type not in ("text", "refusal")]
    if other:
        raise UnsupportedError("messages", f"a message is text, not {plain(other[0])[:50]!r}")
    return "\n".join(part.text or "" for part in message.content)


def text_of(answer: Answer, *, sources: bool) -> str:
    """Return an answer with the list of its sources, as a client shows it."""
    text = plain(answer.answer).strip()
    if not sources or not answer.citations:
        return text
    lines = (source_line(each, answer.language, cited_passage(answer, each)) for each in answer.citations)
    return "\n".join((text, "", _heading(answer.language), *dict.fromkeys(lines)))


def without_sources(text: str) -> str:
    """Return the text of an answer as it was before `text_of` put its sources behind it."""
    for language in LANGUAGES:
        head, sign, rest = text.rpartition(f"\n\n{_heading(language)}\n")
        if sign and rest.startswith("["):
            return head
    return text


def _heading(language: str) -> str:
    return label("sources", language) + ":"


def completion(answer: Answer, *, sources: bool) -> ChatCompletion:
    """Return an answer as a chat completion."""
    message = AssistantMessage(content=text_of(answer, sources=sources))
    return ChatCompletion(
        id=_new_id(),
        created=int(time.time()),
        model=answer.variant,
        choices=[Choice(message=message, finish_reason=_finish_reason(answer))],
        usage=_usage(answer),
        tekio=_tekio(answer),
    )


async def completion_events(
    stream: AsyncGenerator[AskEvent, None], *, sources: bool, usage: bool
) -> AsyncIterator[ServerSentEvent]:
    """Turn a stream of the facade into the pieces of a chat completion.

    What is sent cannot be taken back, so the draft is not sent but the checked answer, piece by piece.
    """
    writer = _Chunks(usage)
    try:
        async with aclosing(stream) as events:
            async for event in events:
                if event.type == "passages":
                    yield writer.piece({"role": "assistant", "content": ""}, event.variant)
                elif event.type == "answer":
                    for chunk in writer.answer(event.answer, sources=sources):
                        yield chunk
                    yield ServerSentEvent(data="[DONE]")
    except Exception as error:
        yield _sent(openai_error(*told(error))[1])


class _Chunks:
    def __init__(self, usage: bool) -> None:
        self._common = {"id": _new_id(), "object": "chat.completion.chunk", "created": int(time.time())}
        self._usage = usage

    def piece(
        self, delta: dict[str, Any], model: str, finish_reason: str | None = None, **more: Any
    ) -> ServerSentEvent:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        without = {"usage": None} if self._usage else {}
        return _sent({**self._common, "model": model, "choices": [choice], **without, **more})

    def answer(self, answer: Answer, *, sources: bool) -> Iterator[ServerSentEvent]:
        for part in pieces(text_of(answer, sources=sources)):
            yield self.piece({"content": part}, answer.variant)
        known = _tekio(answer).model_dump(mode="json")
        yield self.piece({}, answer.variant, _finish_reason(answer), tekio=known)
        if self._usage:
            took = _usage(answer).model_dump()
            yield _sent({**self._common, "model": answer.variant, "choices": [], "usage": took})


def pieces(text: str) -> list[str]:
    """Cut a text into pieces as a stream brings them: words, or a few characters where there are no spaces."""
    return _PIECE.findall(text)


def _sent(value: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(data=json.dumps(value, ensure_ascii=False))


def _new_id() -> str:
    return f"chatcmpl-{secrets.token_hex(12)}"


def _finish_reason(answer: Answer) -> Literal["stop", "length"]:
    cut = (FinishReason.LENGTH, FinishReason.TIMEOUT, FinishReason.REPETITION)
    return "length" if answer.finish_reason in cut else "stop"


def _usage(answer: Answer) -> ChatUsage:
    usage = answer.usage
    return ChatUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
        prompt_tokens_details=ChatTokens(cached_tokens=usage.cached_tokens),
    )


def _tekio(answer: Answer) -> TekioPart:
    return TekioPart.model_validate(
        {name: getattr(answer, name) for name in TekioPart.model_fields if name != "finish_reason"}
        | {"finish_reason": answer.finish_reason.value}
    )
