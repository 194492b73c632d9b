"""Answering without a language model: the passages' own sentences that answer best, verbatim."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from pydantic import Field
from semantic_kernel.connectors.ai.chat_completion_client_base import ChatCompletionClientBase
from semantic_kernel.connectors.ai.prompt_execution_settings import PromptExecutionSettings
from semantic_kernel.contents import ChatHistory, ChatMessageContent, StreamingChatMessageContent, TextContent
from semantic_kernel.contents.utils.author_role import AuthorRole
from semantic_kernel.contents.utils.finish_reason import FinishReason as KernelFinishReason

from kernel.variant_names import EXTRACTIVE


class ExtractiveSettings(PromptExecutionSettings):
    """The sentences to answer with, in order. They come with the request, since a service sees no kernel."""

    sentences: Annotated[list[str], Field(default_factory=list)]


class ExtractiveChatCompletion(ChatCompletionClientBase):
    """Gives the sentences that the request brings, so that `extractive` is a variant like any other."""

    def __init__(self) -> None:
        super().__init__(service_id=EXTRACTIVE, ai_model_id=EXTRACTIVE)

    def get_prompt_execution_settings_class(self) -> type[PromptExecutionSettings]:
        """Return the class of this service's settings."""
        return ExtractiveSettings

    async def _inner_get_chat_message_contents(
        self, chat_history: ChatHistory, settings: PromptExecutionSettings
    ) -> list[ChatMessageContent]:
        assert isinstance(settings, ExtractiveSettings)
        return [
            ChatMessageContent(
                role=AuthorRole.ASSISTANT,
                items=[TextContent(text="\n".join(settings.sentences))],
                ai_model_id=EXTRACTIVE,
                finish_reason=KernelFinishReason.STOP,
                metadata={"finish_reason": "stop"},
            )
        ]

    async def _inner_get_streaming_chat_message_contents(
        self,
        chat_history: ChatHistory,
        settings: PromptExecutionSettings,
        function_invoke_attempt: int = 0,
    ) -> AsyncGenerator[list[StreamingChatMessageContent], Any]:
        (message,) = await self._inner_get_chat_message_contents(chat_history, settings)
        yield [
            StreamingChatMessageContent(
                role=AuthorRole.ASSISTANT,
                choice_index=0,
                content=message.content,
                ai_model_id=EXTRACTIVE,
                finish_reason=message.finish_reason,
                metadata=message.metadata,
                function_invoke_attempt=function_invoke_attempt,
            )
        ]
