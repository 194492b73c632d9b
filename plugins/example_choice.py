"""Which examples are shown with a question: near to it, unlike each other, within a budget of tokens.

Nearness and likeness are cosines of the questions' embeddings, less the mean of the examples', since all vectors of an
embedder lie near to each other; they are weighed by maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).
Of three or more one shows how to say that the passages hold no answer, where there is one. The nearest stands last,
next to the question.

An example whose question is the asked one, or nearly, is never shown: an example is there for its form, and its
answer, of passages as they were then, would be copied. So nothing leaks where answers are measured either.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plugins.example_check import refuses
from plugins.example_store import StoredExample
from plugins.prompt_functions import Example
from retrieval.analysis import Token, analyze

RELEVANCE = 0.5
"""What nearness counts against being unlike those chosen before, 0 to 1."""
SAME_WORDS = 0.8
"""The share of their words that two questions have in common from which they are the same question."""
_POOL = 50

CountTokens = Callable[[str], Awaitable[int]]
"""Counts the tokens of a text with the model's own tokenizer."""
Render = Callable[[Sequence[Example]], str]
"""Gives examples as the prompt shows them."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Examples that may be shown: `similarities` to the question, shape (n,), and `likeness`, shape (n, n)."""

    examples: Sequence[StoredExample]
    similarities: NDArray[np.float32]
    likeness: NDArray[np.float32]


def candidates_of(
    examples: Sequence[StoredExample], vectors: NDArray[np.float32], asked: NDArray[np.float32]
) -> Candidates:
    """Return the examples nearest to a question, by embeddings of length one.

    Args:
        examples: all of them.
        vectors: of their questions, shape (n, dimension).
        asked: of the question, shape (dimension,).
    """
    mean = vectors.mean(axis=0)
    apart, question = _unit(vectors - mean), _unit(asked[None] - mean)[0]
    near = np.argsort(-(apart @ question), kind="stable")[:_POOL]
    return Candidates([examples[i] for i in near], apart[near] @ question, apart[near] @ apart[near].T)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), np.float32)


def same_question(question: str, other: str) -> bool:
    """Say whether two questions ask the same: with the same figures, and nearly the same words."""
    words, others = analyze(question), analyze(other)
    if _figures(words) != _figures(others):
        return False
    left, right = {token.text for token in words}, {token.text for token in others}
    return len(left & right) >= SAME_WORDS * len(left | right)


async def choose_examples(
    candidates: Candidates, wanted: int, render: Render, count: CountTokens, budget: int
) -> list[Example]:
    """Return up to `wanted` examples whose text fits a budget of tokens, the nearest last.

    One that does not fit is passed over for the next; none at all are chosen where not one fits.
    """
    if not wanted or not len(candidates.examples):
        return []
    refusals = np.array([refuses(item.example) for item in candidates.examples])
    pool = [int(i) for i in np.argsort(-candidates.similarities, kind="stable")]
    answered, refusing = [i for i in pool if not refusals[i]], [i for i in pool if refusals[i]]
    chosen: list[int] = []

    async def take(place: int) -> bool:
        shown = [candidates.examples[i].example for i in (*chosen, place)]
        if await count(render(shown)) > budget:
            return False
        chosen.append(place)
        return True

    room = wanted - 1 if wanted >= 3 and refusing else wanted
    while answered and len(chosen) < room:
        best = max(answered, key=lambda i: _marginal(candidates, i, chosen))
        answered.remove(best)
        await take(best)
    if room < wanted:
        for place in refusing:
            if await take(place):
                break
    order = sorted(chosen, key=lambda i: (not refusals[i], candidates.similarities[i]))
    return [candidates.examples[i].example for i in order]


def _marginal(candidates: Candidates, place: int, chosen: Sequence[int]) -> float:
    likeness = max((float(candidates.likeness[place, i]) for i in chosen), default=0.0)
    return RELEVANCE * float(candidates.similarities[place]) - (1 - RELEVANCE) * likeness


def _figures(tokens: Sequence[Token]) -> set[str]:
    return {token.text for token in tokens if token.has_digit}
