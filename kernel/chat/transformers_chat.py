"""A Semantic Kernel chat service over transformers, for the base model or for an adapter over it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from pydantic import Field
from semantic_kernel.connectors.ai.chat_completion_client_base import ChatCompletionClientBase
from semantic_kernel.connectors.ai.prompt_execution_settings import PromptExecutionSettings
from semantic_kernel.contents import ChatHistory, ChatMessageContent, StreamingChatMessageContent, TextContent
from semantic_kernel.contents.utils.author_role import AuthorRole
from semantic_kernel.contents.utils.finish_reason import FinishReason as KernelFinishReason

from kernel.answer import FinishReason
from kernel.chat.language_model import Generation, LanguageModel, Sampling

_FINISH = {FinishReason.STOP: KernelFinishReason.STOP, FinishReason.LENGTH: KernelFinishReason.LENGTH}


class StopSignal(threading.Event):
    """Ends one request. It stays itself when the settings that hold it are copied, as they are on every call.

    It tells what became of the request too, for a caller that was cancelled: `made` is set when the model's thread is
    done with it, `running` while it is not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made: Generation | None = None
        self.running = False
        self._ended = threading.Event()

    def run(self, generate: Callable[[], Generation]) -> Generation:
        """Generate, in the model's thread."""
        self.running = True
        try:
            self.made = generate()
            return self.made
        finally:
            self.running = False
            self._ended.set()

    def wait_ended(self, seconds: float) -> None:
        """Wait for the model's thread, if it is at work on the request. Blocks."""
        if self.running:
            self._ended.wait(seconds)

    def __deepcopy__(self, memo: dict[int, Any]) -> StopSignal:
        return self


class TransformersSettings(PromptExecutionSettings):
    """How a request is generated; temperature 0 is greedy. `stop`, of one request, ends it within a token.

    Of several `drafts`, which are not streamed, each is a message.
    `grammar`, of the package llguidance, is what the text is held within; None leaves it free.
    """

    max_new_tokens: Annotated[int, Field(ge=1)] = 160
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] = 0.0
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    repetition_penalty: Annotated[float, Field(ge=1.0, le=2.0)] = 1.0
    seed: int | None = None
    drafts: Annotated[int, Field(ge=1, le=10)] = 1
    grammar: str | None = None
    stop: Annotated[StopSignal | None, Field(exclude=True)] = None

    def sampling(self) -> Sampling:
        """Return the settings as the model takes them."""
        return Sampling(
            self.max_new_tokens,
            self.temperature,
            self.top_p,
            self.repetition_penalty,
            self.seed,
            self.grammar,
        )


class TransformersChatCompletion(ChatCompletionClientBase):
    """Chat completion by a local model. The event loop never waits: the model runs in a thread of its own.

    Several services share one `LanguageModel` and its thread: `base`, and one for each adapter. The last
    message of a stream carries `finish_reason` and, in `metadata`, the token counts and times; the first, the prompt.
    """

    model: Annotated[Any, Field(exclude=True)]
    executor: Annotated[Any, Field(exclude=True)]
    adapter: str | None = None

    def __init__(
        self,
        *,
        service_id: str,
        model: LanguageModel,
        executor: ThreadPoolExecutor,
        adapter: str | None = None,
    ) -> None:
        """Make a service.

        Args:
            service_id: the variant's name.
            model: the base model.
            executor: a pool of one thread, shared by all services over that model.
            adapter: a name from `LanguageModel.load_adapter`; None is the base.
        """
        super().__init__(
            service_id=service_id, ai_model_id=model.name, model=model, executor=executor, adapter=adapter
        )

    def get_prompt_execution_settings_class(self) -> type[PromptExecutionSettings]:
        """Return the class of this service's settings."""
        return TransformersSettings

    async def _inner_get_chat_message_contents(
        self, chat_history: ChatHistory, settings: PromptExecutionSettings
    ) -> list[ChatMessageContent]:
        assert isinstance(settings, TransformersSettings)
        stop = settings.stop or StopSignal()
        try:
            if settings.drafts == 1:
                written = [await self._start(chat_history, settings, None, stop)]
            else:
                written = await self._start_drafts(chat_history, settings, stop)
        finally:
            stop.set()  # the caller left: end within a token
        return [
            ChatMessageContent(
                role=AuthorRole.ASSISTANT,
                items=[TextContent(text=done.text)],
                ai_model_id=self.ai_model_id,
                finish_reason=_FINISH.get(done.finish_reason),
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
        assert isinstance(settings, TransformersSettings)
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        stop = settings.stop or StopSignal()

        def hand_over(text: str | None) -> None:
            # The loop may be closed already when a consumer left in the middle.
            if not loop.is_closed():
                loop.call_soon_threadsafe(pieces.put_nowait, text)

        generation = self._start(chat_history, settings, hand_over, stop)
        generation.add_done_callback(lambda _: pieces.put_nowait(None))
        try:
            first = self._piece("", function_invoke_attempt)
            first.metadata = {"prompt": _messages(chat_history)}
            yield [first]
            while (piece := await pieces.get()) is not None:
                yield [self._piece(piece, function_invoke_attempt)]
            done = await generation
            last = self._piece("", function_invoke_attempt)
            last.finish_reason = _FINISH.get(done.finish_reason)
            last.metadata = metadata_of(done)
            yield [last]
        finally:
            stop.set()
            generation.cancel()  # takes effect when it still waits for the thread

    def _start(
        self,
        chat_history: ChatHistory,
        settings: TransformersSettings,
        on_text: Callable[[str], None] | None,
        stop: StopSignal,
    ) -> asyncio.Future[Generation]:
        messages = _messages(chat_history)
        return asyncio.get_running_loop().run_in_executor(
            self.executor,
            lambda: stop.run(
                lambda: self.model.generate(
                    messages, settings.sampling(), adapter=self.adapter, on_text=on_text, stop=stop
                )
            ),
        )

    def _start_drafts(
        self, chat_history: ChatHistory, settings: TransformersSettings, stop: StopSignal
    ) -> asyncio.Future[list[Generation]]:
        messages = _messages(chat_history)
        return asyncio.get_running_loop().run_in_executor(
            self.executor,
            lambda: self.model.generate_drafts(
                messages, settings.sampling(), settings.drafts, adapter=self.adapter, stop=stop
            ),
        )

    def _piece(self, text: str, attempt: int) -> StreamingChatMessageContent:
        return StreamingChatMessageContent(
            role=AuthorRole.ASSISTANT,
            choice_index=0,
            content=text,
            ai_model_id=self.ai_model_id,
            function_invoke_attempt=attempt,
        )


def _messages(chat_history: ChatHistory) -> list[dict[str, str]]:
    return [{"role": str(item.role.value), "content": item.content} for item in chat_history.messages]


def metadata_of(done: Generation) -> dict[str, Any]:
    """Return what the last message of a request tells."""
    return {
        "prompt_tokens": done.prompt_tokens,
        "completion_tokens": done.completion_tokens,
        "finish_reason": done.finish_reason.value,
        "kept_characters": len(done.text),
        "seconds": done.seconds,
        "seconds_to_first_token": done.seconds_to_first_token,
    }
