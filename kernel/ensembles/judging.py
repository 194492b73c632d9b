"""How likely members that are language models find the answers of the others, behind their own prompts.

The mean per token is taken, so that long answers are not at a disadvantage.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from kernel.ensembles.asking import Heard
from kernel.variant_names import EXTRACTIVE
from retrieval.errors import TekioError

log = logging.getLogger("tekio.ensembles")

Likelihoods = Callable[[str, Sequence[Mapping[str, str]], Sequence[str], str], Awaitable[list[float] | None]]
"""Given a variant, its prompt, texts and the question: the mean log-probability of each, None where it cannot tell."""

_MARKERS = re.compile(r"\s*\[(?:\d+|\?)\]")


async def judged(
    spoke: Sequence[Heard], question: str, likelihoods: Likelihoods | None, seconds: float
) -> dict[int, list[float]]:
    """Return how likely members find each answer, by their places among those that spoke, of those that can tell.

    Markers of citations are left out, which were put there by the check of an answer, not by who wrote it.

    Args:
        spoke: the members that answered.
        question: that was asked.
        likelihoods: tells it of one.
        seconds: longest time of one.
    """
    said = [_MARKERS.sub("", each.answer.answer).strip() for each in spoke if each.answer is not None]

    texts = list(dict.fromkeys(said))

    async def judge(heard: Heard) -> list[float] | None:
        if likelihoods is None or not heard.prompt or heard.answer is None:
            return None
        if heard.answer.variant == EXTRACTIVE:  # it gave its draft up, and has no voice of its own
            return None
        try:
            async with asyncio.timeout(seconds):
                return await likelihoods(heard.member.variant, heard.prompt, texts, question)
        except (TekioError, TimeoutError) as error:  # it ranks as one that cannot tell
            log.info("%s could not tell how likely it finds answers: %s", heard.member.name, error)
            return None

    told = await asyncio.gather(*(judge(each) for each in spoke))
    found = [None if values is None else dict(zip(texts, values, strict=True)) for values in told]
    return {
        place: [values[text] for text in said] for place, values in enumerate(found) if values is not None
    }
