"""Which answers say the same: by their figures, denials and words, and by their vectors where that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from kernel.answer import Answer
from kernel.answering.vote import Named, Said, named_by, said_by
from plugins.example_check import MARKERS

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Gives vectors of texts, shape (n, d), each of length one. Blocks."""


def grouped(answers: Sequence[Answer], question: str, *, same_meaning: float, embed: Embed) -> list[int]:
    """Return the number of each answer's group, from 0, in the order in which groups come up.

    Refusals are one group. Two answers are of one group where they say the same, see `kernel.answering.vote`; or where
    they have the same figures and denials, and their vectors are as near as wanted.

    Args:
        answers: the answers.
        question: what was asked; its words count for nothing.
        same_meaning: the cosine from which two answers say the same; 0 never does.
        embed: gives vectors; it is not called where nothing has to be compared by them.
    """
    asked = named_by(question)
    said = [_said(answer, asked) for answer in answers]
    texts = [MARKERS.sub(" ", answer.answer).strip() for answer in answers]
    vectors = embed(texts) if same_meaning and len(texts) > 1 else None
    firsts: list[int] = []
    found = []
    for place, one in enumerate(said):
        for group, first in enumerate(firsts):
            cosine = float(vectors[first] @ vectors[place]) if vectors is not None else -1.0
            if _is_same(said[first], one, near=vectors is not None and cosine >= same_meaning):
                found.append(group)
                break
        else:
            found.append(len(firsts))
            firsts.append(place)
    return found


_UNKNOWN = Said(
    unknown=True, figures=frozenset(), new=frozenset(), named=frozenset(), denials=0, words=frozenset()
)


def _said(answer: Answer, asked: Named) -> Said:
    return _UNKNOWN if answer.refused else said_by(answer.answer, asked) or _UNKNOWN


def _is_same(one: Said, other: Said, *, near: bool) -> bool:
    if one.is_same(other):
        return True
    if one.unknown or other.unknown or not near:
        return False
    return one.counts_same(other)
