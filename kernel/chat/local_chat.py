"""A Semantic Kernel chat service over an engine of this machine, for the base model or for an adapter over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Annotated, Any

from pydantic import Field
from semantic_kernel.connectors.ai.chat_completion_client_base import ChatCompletionClientBase
from semantic_kernel.connectors.ai.prompt_execution_settings import PromptExecutionSettings
from semantic_kernel.contents import ChatHistory, ChatMessageContent, StreamingChatMessageContent

from kernel.chat.chat_messages import first_piece, last_piece, messages_of, piece, whole_message
from kernel.chat.chat_settings import GenerationSettings, StopSignal
from kernel.chat.generation import Generation, Generator


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
                        **self._who(settings),
                        stop=stop,
                        user=self.user,
                    )
                )
        finally:
            stop.set()  # the caller left: end within a token
        messages = [whole_message(done, self.ai_model_id) for done in written]
        for message, done in zip(messages, written, strict=True):
            message.metadata |= self._told(settings, done)
        return messages

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
            yield [first_piece(chat_history, self.ai_model_id, function_invoke_attempt)]
            while (text := await pieces.get()) is not None:
                yield [piece(text, self.ai_model_id, function_invoke_attempt)]
            done = await asyncio.wrap_future(generation)
            last = last_piece(done, self.ai_model_id, function_invoke_attempt)
            last.metadata |= self._told(settings, done)
            yield [last]
        finally:
            stop.set()
            generation.cancel()  # takes effect when it still waits for its turn

    async def likelihoods(
        self,
        messages: Sequence[Mapping[str, str]],
        texts: Sequence[str],
        *,
        most_tokens: int,
        about: str = "",
    ) -> list[float] | None:
        """Return how likely the model finds each text behind a prompt, None where its engine does not tell it.

        Args:
            messages: of the prompt, `role` and `content` of each.
            texts: of which the head is read.
            most_tokens: of it.
            about: the question that is answered.

        Returns:
            of each, the mean natural logarithm of how likely a token is.

        Raises:
            TekioError: the prompt is too long, or the engine failed.
        """
        dictate = getattr(self.generator, "start_dictation", None)
        if dictate is None:
            return None
        stop = StopSignal()
        who = self._who(GenerationSettings(about=about))
        found: list[float] = []
        try:
            # One after the other: the first reads the prompt, where the cache has lost it.
            for text in texts:
                begun = dictate(messages, text, most_tokens=most_tokens, stop=stop, user=self.user, **who)
                done: Generation = await asyncio.wrap_future(begun)
                if done.mean_log_probability is None:
                    return None
                found.append(done.mean_log_probability)
        finally:
            stop.set()
        return found

    def _who(self, settings: GenerationSettings) -> dict[str, Any]:
        """Return who writes, as the engine's `start` takes it."""
        return {"adapter": self.adapter}

    def _told(self, settings: GenerationSettings, done: Generation) -> dict[str, Any]:
        """Return what else the last message tells of a request."""
        return {}

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
            **self._who(settings),
            on_text=on_text,
            stop=stop,
            user=self.user,
        )
        stop.watch(started)
        return started
