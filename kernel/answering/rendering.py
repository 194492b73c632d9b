"""The messages of a prompt, as the model is sent them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.prompt_execution_settings import PromptExecutionSettings
from semantic_kernel.contents import ChatHistory
from semantic_kernel.functions.kernel_arguments import KernelArguments

from kernel.answering.fences import fence_of
from kernel.answering.focus import focus
from kernel.answering.prompts import answering_function
from kernel.answering.ranking import SentenceRanker
from kernel.answering.suspicion import examine
from kernel.chat.prompt_text import shield
from plugins.prompt_functions import PromptPassage, render_passages
from retrieval.records import Passage

Messages = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class ShownPrompt:
    """What a model is sent for a question: the messages, and the passages in them, each with its number and text."""

    messages: Messages
    passages: tuple[PromptPassage, ...]


def prompt_arguments(
    question: str,
    passages: Sequence[PromptPassage],
    language: str,
    *,
    fence: str,
    memories: str = "",
    results: str = "",
    examples: str = "",
    settings: PromptExecutionSettings | None = None,
) -> KernelArguments:
    """Return the arguments of an answering function. New for every call: Semantic Kernel writes into them.

    Args:
        question: as it is asked.
        passages: that are shown.
        language: of the labels.
        fence: stands around the passages.
        memories: what is remembered, behind the passages.
        results: of functions that were called.
        examples: worked ones.
        settings: how the answer is generated.
    """
    shown = render_passages(passages, language, fence=fence) + memories
    return KernelArguments(
        settings=settings,
        passages=shield("\n\n".join(filter(None, (shown, results)))),
        question=shield(question),
        examples=shield(examples),
    )


async def rendered_messages(kernel: Kernel, function: Any, arguments: KernelArguments) -> Messages:
    """Return the messages that a prompt function makes of its arguments."""
    rendered = await function.prompt_template.render(kernel, arguments)
    history = ChatHistory.from_rendered_prompt(rendered)
    return [{"role": item.role.value, "content": item.content} for item in history.messages]


async def show_prompt(
    kernel: Kernel,
    ranker: SentenceRanker,
    question: str,
    passages: Sequence[Passage],
    *,
    language: str,
    technique: str,
    sentences: int,
) -> ShownPrompt:
    """Return the prompt of a question over passages, as an answer to it would begin; without examples or memories.

    Args:
        kernel: has the prompt functions.
        ranker: chooses the sentences that are shown.
        question: what is asked.
        passages: in the order of their numbers.
        language: of the answer.
        technique: how the prompt is built.
        sentences: how many of the best are shown in all; 0 shows whole passages.

    Raises:
        UsageError: there is no such technique.
    """
    function = answering_function(kernel, language, technique)
    evidence = examine(passages).passages
    shown = focus(evidence, ranker.rank(question, evidence), sentences=sentences)
    arguments = prompt_arguments(question, shown, language, fence=fence_of(question, passages))
    return ShownPrompt(await rendered_messages(kernel, function, arguments), tuple(shown))
