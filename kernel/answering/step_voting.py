"""Chains of thought that are voted on step by step: of several next steps the elected one is gone on from.

Drafts that took a wrong turn early are lost for a vote on final answers; here a turn that most do not take is not
taken. Source of searching over steps: Yao et al., "Tree of Thoughts" (NeurIPS 2023); candidates are told apart by what
they say (see `kernel.answering.vote`), not graded by the model.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ingest.sentences import split_sentences
from kernel.answer import FinishReason, Samples
from kernel.answering.citations import CheckedText
from kernel.answering.sampling import Sampled, supported_share
from kernel.answering.texts import without_echo
from kernel.answering.vote import elect

MOST_STEPS = 6
_STEP_TOKENS, _LEAST_STEP = 64, 8
_ANSWER = re.compile(r"^[\s*#_]*(?:answer|回答)[*_]*\s*[:：][*_]*\s*", re.IGNORECASE)
_STEPS = re.compile(r"^[\s*#_]*(?:steps?|手順)[*_]*\s*[:：][*_]*\s*", re.IGNORECASE)
_LABELS = {"en": ("Steps: ", "Answer: "), "ja": ("手順：", "回答：")}


@dataclass(frozen=True, slots=True)
class Written:
    """Several ways to go on with a draft, with what it took."""

    texts: list[str]
    prompt_tokens: int
    completion_tokens: int


GoOn = Callable[[str, int, int], Awaitable[Written]]
"""Writes on from a draft: it, the most tokens, and the number of the step, by which it is drawn."""


async def vote_by_steps(
    go_on: GoOn,
    *,
    samples: int,
    question: str,
    language: str,
    max_new_tokens: int,
    check: Callable[[str], CheckedText],
) -> Sampled:
    """Write a chain of thought step by step, then its answer, each the one that most of several say.

    Args:
        go_on: writes candidates.
        samples: how many it writes each time.
        question: what was asked.
        language: of the labels.
        max_new_tokens: longest draft, steps and answer together.
        check: checks a text's citations, to tell groups of one size apart.
    """
    head, tail = _LABELS.get(language, _LABELS["en"])
    draft, left = head, max_new_tokens
    longest = max(_LEAST_STEP, min(_STEP_TOKENS, max_new_tokens // 4))
    prompt_tokens = completion_tokens = 0

    async def candidates(so_far: str, most: int, number: int) -> list[str]:
        nonlocal prompt_tokens, completion_tokens
        written = await go_on(so_far, max(1, most), number)
        prompt_tokens += written.prompt_tokens
        completion_tokens += written.completion_tokens
        return written.texts

    async def elected(texts: Sequence[str]) -> tuple[str, float]:
        found = await asyncio.to_thread(elect, texts, question, lambda text: supported_share(check(text)))
        return texts[found.place], found.agreement

    taken: list[str] = []
    for number in range(MOST_STEPS):
        if left <= longest:
            break
        steps = [_first_step(text) for text in await candidates(draft, longest, number)]
        going_on = [step for step in steps if step]
        if 2 * len(going_on) <= len(steps):
            break  # most are done with their steps
        step, _ = await elected(going_on)
        if step in taken:
            break  # it goes round in circles
        taken.append(step)
        draft = f"{draft.rstrip()} {step}" if taken[:-1] else f"{draft}{step}"
        left -= longest // 2
    draft = f"{draft.rstrip()}\n{tail}"
    answers = [without_echo(_bare(text)) for text in await candidates(draft, left, MOST_STEPS)]
    answer, agreement = await elected(answers)
    return Sampled(
        draft + answer,
        Samples(n=samples, agreement=round(agreement, 4)),
        {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "finish_reason": FinishReason.STOP.value,
        },
    )


def _first_step(text: str) -> str:
    """Return the first sentence of what was written on, empty where it begins with the answer or says nothing."""
    text = _STEPS.sub("", text.strip())
    if _ANSWER.match(text) or not any(character.isalnum() for character in text):
        return ""
    line = text.splitlines()[0].strip()
    start, end = next(iter(split_sentences(line)), (0, len(line)))
    return line[start:end].strip()


def _bare(text: str) -> str:
    return _ANSWER.sub("", text.strip())
