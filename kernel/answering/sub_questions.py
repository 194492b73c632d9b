"""The prompt function by which a language model splits a question."""

from __future__ import annotations

from contextlib import aclosing

from semantic_kernel import Kernel
from semantic_kernel.functions.kernel_arguments import KernelArguments

from kernel.answering.parts import WriteParts
from kernel.answering.run import Variant
from kernel.chat.chat_settings import GenerationSettings
from kernel.chat.prompt_text import shield
from kernel.chat.streaming import stream_prompt
from plugins.prompt_functions import SUB_QUESTIONS, plugin_name
from retrieval.analysis import detect_language
from retrieval.stages import under_way

_MOST_TOKENS = 120
_LONGEST = 1000
"""Characters of a question that a model is asked to split: a longer one it would only copy."""


def writer_of_parts(kernel: Kernel, variant: Variant, question: str) -> WriteParts | None:
    """Return how a variant writes the parts of a question; None where it is no model, or does not speak its language.

    Also None for a question that is too long.
    """
    language = detect_language(question)
    if variant.counter is None or not variant.speaks(language) or len(question) > _LONGEST:
        return None

    async def write(text: str) -> str:
        function = kernel.get_function(plugin_name(language), SUB_QUESTIONS)
        settings = GenerationSettings(service_id=variant.name, max_new_tokens=_MOST_TOKENS)
        arguments = KernelArguments(settings=settings, question=shield(text))
        pieces: list[str] = []
        async with aclosing(stream_prompt(kernel, function, arguments)) as stream:
            async for message in stream:
                pieces.append(str(message.content or ""))
                counts = ("prompt_tokens", "completion_tokens")
                under_way().note(
                    **{name: message.metadata[name] for name in counts if name in message.metadata}
                )
        return "".join(pieces)

    return write
