"""A step at work: what it is given, what it may use, and what is noted of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from semantic_kernel.functions.kernel_arguments import KernelArguments

from kernel.answer import FinishReason, total_cost
from kernel.answering.causes import cause_of
from kernel.answering.fences import fence_of
from kernel.answering.run import Variant
from kernel.chat.chat_settings import GenerationSettings
from kernel.chat.prompt_text import shield
from kernel.chat.streaming import stream_prompt
from kernel.engine.engine import Engine
from kernel.pipelines.checks import unspoken
from kernel.pipelines.pieces import Piece, pieces_of
from kernel.pipelines.seq2seq import Translators
from kernel.pipelines.settings import StepSettings
from kernel.pipelines.values import Made, joined
from kernel.pipelines.wording import tell
from kernel.variant_names import EXTRACTIVE
from plugins.prompt_functions import LANGUAGES, plugin_name
from retrieval.access import Caller
from retrieval.errors import UsageError
from retrieval.passages import PassageIndex

T = TypeVar("T")
R = TypeVar("R")
_AT_ONCE = 4
"""Prompts of one step that are computed at once."""


@dataclass(frozen=True, slots=True)
class Means:
    """What steps are done with.

    Attributes:
        engine: has the variants and the kernel.
        index: weighs words.
        translators: sequence-to-sequence models.
        max_prompt_tokens: longest prompt.
        max_new_tokens: longest text that a model writes for a summary, an object or a prompt function.
    """

    engine: Engine
    index: PassageIndex
    translators: Translators
    max_prompt_tokens: int
    max_new_tokens: int


@dataclass(slots=True)
class Work:
    """One step for one input. `hear` is given the pieces of what it writes; the rest is noted as it goes on: `asked`
    has what each answer cost that it asked for."""

    step: StepSettings
    inputs: Sequence[Made]
    question: str
    language: str
    variant: Variant
    means: Means
    caller: Caller | None
    hear: Callable[[str], None]
    notices: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    asked: list[float | None] = field(default_factory=list)
    finish_reason: FinishReason = FinishReason.STOP

    @property
    def cost(self) -> float | None:
        """What it cost: the answers that it asked for, else what its own variant wrote; None without a price."""
        if self.asked:
            return total_cost(self.asked)
        return self.variant.cost(self.prompt_tokens, self.completion_tokens)

    @property
    def text(self) -> str:
        """The input as one text."""
        return joined(self.inputs)

    @property
    def has_model(self) -> bool:
        """Whether a language model does it."""
        return self.variant.counter is not None

    def notice(self, key: str, language: str, **values: object) -> None:
        """Note what the reader should know, once."""
        if (told := tell(key, language, **values)) not in self.notices:
            self.notices.append(told)

    def check_language(self, *languages: str) -> None:
        """Check that the variant speaks some languages, or was told to write anyway.

        Raises:
            UsageError: it does not.
        """
        if self.step.anyway or self.variant.name == EXTRACTIVE:
            return
        for language in languages:
            if not self.variant.speaks(language):
                spoken = self.variant.languages or ()
                raise UsageError(unspoken(self.step, self.variant.name, language, spoken))

    def room(self, written: int) -> int:
        """Return the most tokens of a prompt, where so many are written behind it."""
        return self.variant.prompt_room(self.means.max_prompt_tokens, written)

    def count(self, text: str) -> int:
        """Count the tokens of a text, for the variant."""
        assert self.variant.counter is not None
        return self.variant.counter.count([{"role": "user", "content": text}])

    async def pieces(self, text: str, most: int) -> list[Piece]:
        """Cut a text into pieces of so many tokens."""
        return await asyncio.to_thread(pieces_of, text, self.count, most)

    async def write(
        self, function: str, language: str, most: int, *, grammar: str | None = None, **texts: str
    ) -> tuple[str, dict[str, Any]]:
        """Return what the variant writes by a prompt function, and what the engine tells of it.

        Args:
            function: its name.
            language: of the prompt.
            most: tokens that may be written.
            grammar: that it is held within.
            **texts: what the prompt shows.

        Raises:
            TekioError: the model failed, or cannot be reached.
        """
        settings = GenerationSettings(service_id=self.variant.name, max_new_tokens=most, grammar=grammar)
        shown = {name: shield(text) for name, text in texts.items()}
        kernel = self.means.engine.kernel_of(self.caller)
        prompt = kernel.get_function(plugin_name(language), function)
        pieces: list[str] = []
        told: dict[str, Any] = {}
        try:
            stream = stream_prompt(kernel, prompt, KernelArguments(settings=settings, **shown))
            async with aclosing(stream) as messages:
                async for message in messages:
                    told.update({key: value for key, value in message.metadata.items() if key != "arguments"})
                    pieces.append(str(message.content or ""))
        except Exception as error:
            raise cause_of(error) from error
        self.prompt_tokens += told.get("prompt_tokens", 0)
        self.completion_tokens += told.get("completion_tokens", 0)
        text = "".join(pieces)
        return text[: told.get("kept_characters", len(text))], told

    def note_end(self, told: dict[str, Any], most: int) -> None:
        """Note that a text did not come to its own end."""
        finish = FinishReason(told.get("finish_reason", FinishReason.STOP))
        if finish is FinishReason.STOP:
            return
        self.finish_reason = finish
        if finish is FinishReason.REPETITION:
            self.notice("repeated", self.language, step=self.step.name)
        elif finish in (FinishReason.LENGTH, FinishReason.TIMEOUT):
            self.notice("cut", self.language, step=self.step.name, tokens=most)


def fenced(text: str) -> tuple[str, str]:
    """Return a text as a prompt quotes it, between two lines that it cannot hold, and the letters of these."""
    fence = fence_of(text, ())
    return f"--- {fence}\n{text}\n--- {fence}", fence


def unfenced(written: str, fence: str) -> str:
    """Return what was written without lines of the fence, which small models repeat."""
    return "\n".join(line for line in written.splitlines() if fence not in line).strip()


def prompt_language(language: str) -> str:
    """Return the language of the prompt for a text."""
    return language if language in LANGUAGES else "en"


async def each(items: Sequence[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
    """Do something with each of several, some at once; the first error ends the others."""
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def one(item: T) -> R:
        async with at_once:
            return await work(item)

    tasks = [asyncio.create_task(one(item)) for item in items]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
