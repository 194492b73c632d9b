"""What a language model writes of a document: a prompt function, within the budget of the prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from semantic_kernel import Kernel
from semantic_kernel.contents import ChatHistory
from semantic_kernel.functions.kernel_arguments import KernelArguments

from kernel.answer import FinishReason, Usage
from kernel.answering.run import Variant
from kernel.chat.chat_settings import GenerationSettings
from kernel.chat.prompt_text import shield
from kernel.chat.streaming import stream_prompt
from plugins.prompt_functions import PromptPassage, plugin_name, render_passages
from retrieval.errors import UsageError


@dataclass(frozen=True, slots=True)
class Draft:
    """What was written, cut where the model went round in circles, and why it ended."""

    text: str
    finish_reason: FinishReason


@dataclass(slots=True)
class Writer:
    """Writes by one variant in one language, and counts what it cost. `fence` stands around each passage."""

    kernel: Kernel
    variant: Variant
    language: str
    max_prompt_tokens: int
    max_new_tokens: int
    fence: str
    prompt_tokens: int = 0
    completion_tokens: int = 0

    async def write(self, function: str, passages: Sequence[PromptPassage], text: str = "") -> Draft:
        """Write by a prompt function.

        Args:
            function: its name.
            passages: are shown as the document.
            text: what else is shown.
        """
        settings = GenerationSettings(service_id=self.variant.name, max_new_tokens=self.max_new_tokens)
        arguments = self._arguments(passages, text, settings)
        prompt = self.kernel.get_function(plugin_name(self.language), function)
        pieces: list[str] = []
        metadata: dict[str, Any] = {}
        async with aclosing(stream_prompt(self.kernel, prompt, arguments)) as stream:
            async for message in stream:
                metadata.update({key: value for key, value in message.metadata.items() if key != "arguments"})
                pieces.append(str(message.content or ""))
        self.prompt_tokens += metadata.get("prompt_tokens", 0)
        self.completion_tokens += metadata.get("completion_tokens", 0)
        draft = "".join(pieces)
        return Draft(
            draft[: metadata.get("kept_characters", len(draft))],
            FinishReason(metadata.get("finish_reason", FinishReason.STOP)),
        )

    async def groups(
        self, function: str, passages: Sequence[PromptPassage], text: str = ""
    ) -> list[list[PromptPassage]]:
        """Part passages, in their order, into groups each of which fits one prompt with a text.

        Raises:
            UsageError: a passage does not fit alone.
        """
        groups: list[list[PromptPassage]] = []
        rest = list(passages)
        base = await self.tokens(function, [], text)
        sizes = [await self._size(item) for item in rest]
        while rest:
            taken, total = 0, base
            while taken < len(rest) and total + sizes[taken] <= self.max_prompt_tokens:
                total += sizes[taken]
                taken += 1
            taken = max(taken, 1)
            # Token by token a whole is not the sum of its parts; the last ones go until it fits.
            while await self.tokens(function, rest[:taken], text) > self.max_prompt_tokens:
                taken -= 1
                if not taken:
                    raise UsageError(
                        f"one passage needs more than the {self.max_prompt_tokens:,} tokens that the prompt may "
                        "have: raise max_prompt_tokens"
                    )
            groups.append(rest[:taken])
            rest, sizes = rest[taken:], sizes[taken:]
        return groups

    async def tokens(self, function: str, passages: Sequence[PromptPassage], text: str = "") -> int:
        """Count the tokens of a whole prompt."""
        prompt: Any = self.kernel.get_function(plugin_name(self.language), function)
        arguments = self._arguments(passages, text, None)
        history = ChatHistory.from_rendered_prompt(
            await prompt.prompt_template.render(self.kernel, arguments)
        )
        messages = [{"role": str(item.role.value), "content": item.content} for item in history.messages]
        return await asyncio.to_thread(self._count, messages)

    def usage(self, *, used: int, omitted: int = 0) -> Usage:
        """Return what was used so far."""
        return Usage(
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            passages_used=used,
            passages_omitted=omitted,
            cost=self.variant.cost(self.prompt_tokens, self.completion_tokens),
        )

    async def _size(self, item: PromptPassage) -> int:
        shown = render_passages([item], self.language, fence=self.fence)
        return await asyncio.to_thread(self._count, [{"role": "user", "content": shown}])

    def _count(self, messages: Sequence[dict[str, str]]) -> int:
        assert self.variant.counter is not None
        return self.variant.counter.count(messages)

    def _arguments(self, passages: Sequence[PromptPassage], text: str, settings: Any) -> KernelArguments:
        # New for every call: Semantic Kernel writes into the arguments it is given.
        document = shield(render_passages(passages, self.language, fence=self.fence))
        return KernelArguments(settings=settings, document=document, text=shield(text))


def numbered(passages: Sequence[PromptPassage]) -> list[PromptPassage]:
    """Return passages numbered from 1, as a prompt shows them."""
    return [PromptPassage(place, item.passage, item.text) for place, item in enumerate(passages, start=1)]
