"""What a chat service takes and gives, as Semantic Kernel has it, whichever engine writes."""

from __future__ import annotations

from typing import Any

from semantic_kernel.contents import ChatHistory, ChatMessageContent, StreamingChatMessageContent, TextContent
from semantic_kernel.contents.utils.author_role import AuthorRole
from semantic_kernel.contents.utils.finish_reason import FinishReason as KernelFinishReason

from kernel.answer import FinishReason
from kernel.chat.generation import Generation

_FINISH = {FinishReason.STOP: KernelFinishReason.STOP, FinishReason.LENGTH: KernelFinishReason.LENGTH}


def messages_of(chat_history: ChatHistory) -> list[dict[str, str]]:
    """Return the messages of a chat, `role` and `content` of each."""
    return [{"role": str(item.role.value), "content": item.content} for item in chat_history.messages]


def whole_message(done: Generation, model: str) -> ChatMessageContent:
    """Return an answer as one message, with what it took."""
    return ChatMessageContent(
        role=AuthorRole.ASSISTANT,
        items=[TextContent(text=done.text)],
        ai_model_id=model,
        finish_reason=_FINISH.get(done.finish_reason),
        metadata=metadata_of(done),
    )


def piece(text: str, model: str, attempt: int) -> StreamingChatMessageContent:
    """Return a piece of an answer."""
    return StreamingChatMessageContent(
        role=AuthorRole.ASSISTANT,
        choice_index=0,
        content=text,
        ai_model_id=model,
        function_invoke_attempt=attempt,
    )


def first_piece(chat_history: ChatHistory, model: str, attempt: int) -> StreamingChatMessageContent:
    """Return what begins a stream: the prompt."""
    first = piece("", model, attempt)
    first.metadata = {"prompt": messages_of(chat_history)}
    return first


def last_piece(done: Generation, model: str, attempt: int) -> StreamingChatMessageContent:
    """Return what ends a stream: why it ended, and what it took."""
    last = piece("", model, attempt)
    last.finish_reason = _FINISH.get(done.finish_reason)
    last.metadata = metadata_of(done)
    return last


def metadata_of(done: Generation) -> dict[str, Any]:
    """Return what the last message of a request tells."""
    told = {
        "prompt_tokens": done.prompt_tokens,
        "completion_tokens": done.completion_tokens,
        "finish_reason": done.finish_reason.value,
        "kept_characters": len(done.text),
        "seconds": done.seconds,
        "seconds_to_first_token": done.seconds_to_first_token,
    }
    more = {
        "reused_tokens": done.reused_tokens,
        "drafted_tokens": done.drafted_tokens,
        "accepted_tokens": done.accepted_tokens,
    }
    for name in ("log_probability", "mean_log_probability"):
        if (value := getattr(done, name)) is not None:
            told[name] = value
    return told | {name: count for name, count in more.items() if count}
