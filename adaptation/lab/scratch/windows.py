"""Texts as windows of tokens: what a model from scratch learns from, and what it is measured on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from adaptation.lab.scratch.collecting import Text
from adaptation.lab.scratch.tokenizing import END, SPECIAL

Tokens = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stream:
    """Texts one after another, each ended by a token of its own.

    Attributes:
        ids: all tokens.
        texts: for each token the number of its text.
        bytes: of the texts.
    """

    ids: Tokens
    texts: Tokens
    bytes: int


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens that are read together.

    Attributes:
        ids: the tokens.
        start: where they begin in their stream.
        texts: the numbers of the first and of the last text that they are of.
        before: tokens of another text that are read before them and are not learned.
    """

    ids: tuple[int, ...]
    start: int
    texts: tuple[int, int]
    before: tuple[int, ...] = ()

    def with_before(self, ids: Sequence[int]) -> Window:
        """Return it with tokens that are read before it."""
        return replace(self, before=tuple(ids))


def part(texts: Sequence[Text], *, held_out: float, seed: int) -> tuple[list[Text], list[Text]]:
    """Part texts into those that are learned and those that are measured on, of each language; in random order."""
    order = random.Random(seed)  # noqa: S311 - no secret
    learned: list[Text] = []
    held: list[Text] = []
    for language in sorted({text.language for text in texts}):
        own = [text for text in texts if text.language == language]
        order.shuffle(own)
        count = min(max(1, round(held_out * len(own))), len(own) - 1)
        held += own[:count]
        learned += own[count:]
    order.shuffle(learned)
    order.shuffle(held)
    return learned, held


def stream_of(tokenizer: Any, texts: Sequence[Text]) -> Stream:
    """Return the tokens of texts.

    Args:
        tokenizer: of the library tokenizers.
        texts: in order.
    """
    end = SPECIAL.index(END)
    encoded = tokenizer.encode_batch([text.text for text in texts], add_special_tokens=False)
    parts = [np.array([*each.ids, end], dtype=np.int64) for each in encoded]
    numbers = [np.full(len(ids), number, dtype=np.int64) for number, ids in enumerate(parts)]
    nothing = np.zeros(0, dtype=np.int64)
    return Stream(
        np.concatenate(parts) if parts else nothing,
        np.concatenate(numbers) if numbers else nothing,
        sum(len(text.text.encode("utf-8", "replace")) for text in texts),
    )


def windows_of(stream: Stream, size: int, *, most: int = 0) -> list[Window]:
    """Cut a stream into windows of one size; what is left at its end is passed over.

    Args:
        stream: that is cut.
        size: tokens of a window.
        most: windows, evenly spread; 0 gives all.
    """
    starts = list(range(0, len(stream.ids) - size + 1, size))
    if most and len(starts) > most:
        starts = [starts[place * len(starts) // most] for place in range(most)]
    return [
        Window(
            tuple(stream.ids[start : start + size].tolist()),
            start,
            (int(stream.texts[start]), int(stream.texts[start + size - 1])),
        )
        for start in starts
    ]
