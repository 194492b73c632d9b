"""Drafts of one prompt, voted on: what is generated where an answer is asked for with several samples."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from semantic_kernel import Kernel
from semantic_kernel.functions.kernel_arguments import KernelArguments
from semantic_kernel.functions.kernel_function import KernelFunction

from kernel.answer import Samples
from kernel.answering.citations import CheckedText
from kernel.answering.texts import without_echo
from kernel.answering.vote import elect
from plugins.prompt_functions import split_reasoning


@dataclass(frozen=True, slots=True)
class Sampled:
    """The draft that was elected, with the vote; `metadata` counts the tokens of all drafts."""

    draft: str
    samples: Samples
    metadata: dict[str, Any]


async def sample(
    kernel: Kernel,
    function: KernelFunction,
    arguments: KernelArguments,
    *,
    technique: str,
    question: str,
    check: Callable[[str], CheckedText],
) -> Sampled:
    """Write drafts and elect one.

    Args:
        kernel: runs the function.
        function: the prompt.
        arguments: their settings say how many drafts, and how freely.
        technique: says how a draft is split into its steps and its answer.
        question: what was asked.
        check: checks an answer's citations.
    """
    result: Any = await kernel.invoke(function, arguments)
    messages = list(result.value)
    drafts = [str(message.content or "") for message in messages]
    answers = [split_reasoning(technique, without_echo(draft))[1] for draft in drafts]
    elected = await asyncio.to_thread(elect, answers, question, lambda answer: supported_share(check(answer)))
    metadata = dict(messages[elected.place].metadata)
    metadata["completion_tokens"] = sum(message.metadata.get("completion_tokens", 0) for message in messages)
    samples = Samples(n=len(drafts), agreement=round(elected.agreement, 4))
    return Sampled(drafts[elected.place], samples, metadata)


def supported_share(checked: CheckedText) -> float:
    """Return how well an answer is supported, 0 to 1: its sentences' scores, 0 for those without a citation."""
    scores: Sequence[float] = [citation.score for citation in checked.citations]
    sentences = len(scores) + len(checked.unsupported)
    return sum(scores) / sentences if sentences else 0.0
