"""A Semantic Kernel chat service over an engine of this machine, for the base model or for an adapter over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from typing import Annotated, Any

from pydantic import Field
from semantic_kernel.connectors.ai.chat_completion_client_base import ChatCompletionClientBase
from semantic_kernel.connectors.ai.prompt_execution_settings import PromptExecutionSettings
from semantic_kernel.contents import ChatHistory, ChatMessageContent, StreamingChatMessageContent, TextContent
from semantic_kernel.contents.utils.author_role import AuthorRole
from semantic_kernel.contents.utils.finish_reason import FinishReason as KernelFinishReason

from kernel.answer import FinishReason
from kernel.chat.chat_settings import GenerationSettings, StopSignal, metadata_of
from kernel.chat.generation import Generation, Generator

FINISH = {FinishReason.STOP: KernelFinishReason.STOP, FinishReason.LENGTH: KernelFinishReason.LENGTH}


class LocalChatCompletion(ChatCompletionClientBase):
    """Chat completion by an engine that computes in threads of its own: the event loop never waits.

    Several services share one engine: `base`, and one for each adapter. The last message of a stream carries
    `finish_reason` and, in `metadata`, the token counts and times; the first, the prompt.
    """

    generator: Annotated[Any, Field(exclude=True)]
    adapter: str | None = None
    user: str = ""

    def __init__(self, *, service_id: str, generator: Generator, adapter: str | None = None) -> None:
        """Make a service.

        Args:
            service_id: the variant's name.
            generator: the engine.
            adapter: as the engine names it; None is the base.
        """
        super().__init__(
            service_id=service_id, ai_model_id=generator.name, generator=generator, adapter=adapter
        )

    def of_user(self, user: str) -> LocalChatCompletion:
        """Return the service for the requests of one user, between whom the engine takes turns."""
        return self.model_copy(update={"user": user})

    def get_prompt_execution_settings_class(self) -> type[PromptExecutionSettings]:
        """Return the class of this service's settings."""
        return GenerationSettings

    async def _inner_get_chat_message_contents(
        self, chat_history: ChatHistory, settings: PromptExecutionSettings
    ) -> list[ChatMessageContent]:
        assert isinstance(settings, GenerationSettings)
        stop = settings.stop or StopSignal()
        try:
            if settings.drafts == 1:
                written = [await asyncio.wrap_future(self._start(chat_history, settings, None, stop))]
            else:
                written = await asyncio.wrap_future(
                    self.generator.start_drafts(
                        messages_of(chat_history),
                        settings.sampling(),
                        settings.drafts,
                        adapter=self.adapter,
                        stop=stop,
                        user=self.user,
                    )
                )
        finally:
            stop.set()  # the caller left: end within a token
        return [
            ChatMessageContent(
                role=AuthorRole.ASSISTANT,
                items=[TextContent(text=done.text)],
                ai_model_id=self.ai_model_id,
                finish_reason=FINISH.get(done.finish_reason),
                metadata=metadata_of(done),
            )
            for done in written
        ]

    async def _inner_get_streaming_chat_message_contents(
        self,
        chat_history: ChatHistory,
        settings: PromptExecutionSettings,
        function_invoke_attempt: int = 0,
    ) -> AsyncGenerator[list[StreamingChatMessageContent], Any]:
        assert isinstance(settings, GenerationSettings)
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        stop = settings.stop or StopSignal()

        def hand_over(text: str | None) -> None:
            # The loop may be closed already when a consumer left in the middle.
            if not loop.is_closed():
                loop.call_soon_threadsafe(pieces.put_nowait, text)

        generation = self._start(chat_history, settings, hand_over, stop)
        generation.add_done_callback(lambda _: hand_over(None))
        try:
            first = self._piece("", function_invoke_attempt)
            first.metadata = {"prompt": messages_of(chat_history)}
            yield [first]
            while (piece := await pieces.get()) is not None:
                yield [self._piece(piece, function_invoke_attempt)]
            done = await asyncio.wrap_future(generation)
            last = self._piece("", function_invoke_attempt)
            last.finish_reason = FINISH.get(done.finish_reason)
            last.metadata = metadata_of(done)
            yield [last]
        finally:
            stop.set()
            generation.cancel()  # takes effect when it still waits for its turn

    def _start(
        self,
        chat_history: ChatHistory,
        settings: GenerationSettings,
        on_text: Callable[[str], None] | None,
        stop: StopSignal,
    ) -> Future[Generation]:
        started: Future[Generation] = self.generator.start(
            messages_of(chat_history),
            settings.sampling(),
            adapter=self.adapter,
            on_text=on_text,
            stop=stop,
            user=self.user,
        )
        stop.watch(started)
        return started

    def _piece(self, text: str, attempt: int) -> StreamingChatMessageContent:
        return StreamingChatMessageContent(
            role=AuthorRole.ASSISTANT,
            choice_index=0,
            content=text,
            ai_model_id=self.ai_model_id,
            function_invoke_attempt=attempt,
        )


def messages_of(chat_history: ChatHistory) -> list[dict[str, str]]:
    """Return the messages of a chat, `role` and `content` of each."""
    return [{"role": str(item.role.value), "content": item.content} for item in chat_history.messages]
