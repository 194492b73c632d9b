"""Passages within the prompt's budget, counted with the model's own tokenizer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from plugins.prompt_functions import PromptPassage
from retrieval.errors import UsageError

CountPrompt = Callable[[Sequence[PromptPassage]], Awaitable[int]]


async def fit_passages(
    passages: Sequence[PromptPassage], count: CountPrompt, *, budget: int
) -> tuple[list[PromptPassage], int]:
    """Return the best-ranked passages whose prompt fits, and the prompt's tokens. The lowest-ranked go first.

    Args:
        passages: best first.
        count: gives the exact tokens of the whole prompt with some passages.
        budget: the most tokens that the prompt may have.

    Raises:
        UsageError: the question alone, or with its best passage, does not fit.
    """
    kept = list(passages)
    while True:
        tokens = await count(kept)
        if tokens <= budget:
            return kept, tokens
        if len(kept) <= 1:
            raise UsageError(
                f"the question and one passage need {tokens:,} tokens, the prompt may have {budget:,}: "
                "shorten the question, or raise max_prompt_tokens"
            )
        kept.pop()
