"""Streaming a prompt function, such that leaving early ends the generation and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

from semantic_kernel import Kernel
from semantic_kernel.contents import StreamingChatMessageContent
from semantic_kernel.functions.kernel_arguments import KernelArguments
from semantic_kernel.functions.kernel_function import KernelFunction

from kernel.chat.chat_messages import metadata_of
from kernel.chat.chat_settings import GenerationSettings, StopSignal

_PATIENCE_SECONDS = 5.0


async def stream_prompt(
    kernel: Kernel,
    function: KernelFunction,
    arguments: KernelArguments,
    drained: dict[str, Any] | None = None,
) -> AsyncGenerator[StreamingChatMessageContent, None]:
    """Yield the messages of a prompt function; the last carries `finish_reason`.

    What the messages tell that come after the consumer has left, such as how many tokens there were, goes to `drained`.

    Semantic Kernel nests generators without closing them. When a consumer leaves, the inner ones are left to the
    garbage collector: OpenTelemetry logs a traceback, and where a log handler keeps that, the generation goes on
    to its end. So a local model is told to stop, and its stream is read to its end, which is a token away.
    """
    stop, is_local = StopSignal(), False
    chosen = dict(arguments.execution_settings or {})
    for name, settings in chosen.items():
        if isinstance(settings, GenerationSettings):
            chosen[name], is_local = settings.model_copy(update={"stop": stop}), True
    # New arguments, since Semantic Kernel writes into the ones that it is given.
    stream = kernel.invoke_stream(function, KernelArguments(settings=cast(Any, chosen), **arguments))
    try:
        async for batch in stream:
            yield cast(list[StreamingChatMessageContent], batch)[0]
    finally:
        stop.set()
        if is_local:
            async for _ in stream:
                pass
            # A cancelled stream has no last message, but the model's thread is a token away from its end.
            await asyncio.to_thread(stop.wait_ended, _PATIENCE_SECONDS)
            if drained is not None and stop.made is not None:
                drained.update(metadata_of(stop.made))
        await stream.aclose()
