"""A Semantic Kernel chat service over a model on a server that speaks the OpenAI protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field
from semantic_kernel.connectors.ai.chat_completion_client_base import ChatCompletionClientBase
from semantic_kernel.connectors.ai.prompt_execution_settings import PromptExecutionSettings
from semantic_kernel.contents import ChatHistory, ChatMessageContent, StreamingChatMessageContent

from kernel.chat.chat_messages import first_piece, last_piece, messages_of, piece, whole_message
from kernel.chat.chat_settings import GenerationSettings, StopSignal
from kernel.chat.remote.answering import Answering, Remote
from kernel.chat.remote.connection import Connector
from kernel.chat.remote.roles import plain_messages
from retrieval.errors import UsageError


class RemoteChatCompletion(ChatCompletionClientBase):
    """Chat completion by another process or machine; an adapter is a model's name there.

    As with an engine of this machine, the first message of a stream carries the prompt in its `metadata`, the last one
    `finish_reason`, token counts and times.
    """

    remote: Annotated[Any, Field(exclude=True)]
    connector: Annotated[Any, Field(exclude=True)]

    def __init__(self, *, service_id: str, model: str, remote: Remote) -> None:
        """Make a service.

        Args:
            service_id: the variant's name.
            model: name of the model, for people.
            remote: the model.
        """
        super().__init__(
            service_id=service_id, ai_model_id=model, remote=remote, connector=Connector(remote.limits)
        )

    def get_prompt_execution_settings_class(self) -> type[PromptExecutionSettings]:
        """Return the class of this service's settings."""
        return GenerationSettings

    async def _inner_get_chat_message_contents(
        self, chat_history: ChatHistory, settings: PromptExecutionSettings
    ) -> list[ChatMessageContent]:
        assert isinstance(settings, GenerationSettings)
        stop = settings.stop or StopSignal()
        seeds = [
            None if settings.seed is None else settings.seed + number for number in range(settings.drafts)
        ]
        drafts = [self._answering(chat_history, settings, stop, seed) for seed in seeds]
        # A server that is tried again gets one request, and the others when it has answered that.
        written = [await drafts.pop(0).whole()] if self.remote.breaker.is_open else []
        asked = [asyncio.create_task(draft.whole()) for draft in drafts]
        try:
            written += await asyncio.gather(*asked)
        finally:
            for task in asked:  # the caller left, or one of them failed
                task.cancel()
            if asked:
                await asyncio.wait(asked)
        return [whole_message(done, self.ai_model_id) for done in written]

    async def _inner_get_streaming_chat_message_contents(
        self,
        chat_history: ChatHistory,
        settings: PromptExecutionSettings,
        function_invoke_attempt: int = 0,
    ) -> AsyncGenerator[list[StreamingChatMessageContent], Any]:
        assert isinstance(settings, GenerationSettings)
        stop = settings.stop or StopSignal()
        answering = self._answering(chat_history, settings, stop, settings.seed)
        yield [first_piece(chat_history, self.ai_model_id, function_invoke_attempt)]
        async with aclosing(answering.pieces()) as pieces:
            async for text in pieces:
                yield [piece(text, self.ai_model_id, function_invoke_attempt)]
        if answering.made is not None:
            yield [last_piece(answering.made, self.ai_model_id, function_invoke_attempt)]

    def _answering(
        self, chat_history: ChatHistory, settings: GenerationSettings, stop: StopSignal, seed: int | None
    ) -> Answering:
        if settings.grammar is not None:
            raise UsageError(
                f"the variant '{self.service_id}' is computed by a server, which is not held to a grammar: functions "
                "are called by the base model and its adapters"
            )
        sampling = replace(settings.sampling(), seed=seed)
        return Answering(
            self.remote, self.connector, plain_messages(messages_of(chat_history)), sampling, stop
        )
