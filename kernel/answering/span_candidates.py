"""The spans of a sentence that could answer a question, and how they lie to words that are flagged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kernel.answering.span_words import Word

Floats = NDArray[np.float64]
_LONGEST = {"ja": 24, "en": 16}
_ENDINGS = frozenset("から まで など た だ ため".split())
_FAR = 8.0


@dataclass
class Spans:
    """Spans of words, `starts[i]` to before `ends[i]`, with their features, each an array of one number a span."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    features: dict[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.starts)


def candidates(words: Sequence[Word], language: str) -> Spans:
    """Return the spans that begin and end with a word of meaning or a bracket, and hold brackets in pairs."""
    count, longest = len(words), _LONGEST[language]
    begins = [word.kind in ("content", "verb") or word.bracket == 1 for word in words]
    ends = [
        word.kind in ("content", "verb") or word.bracket == -1 or (language == "ja" and word.text in _ENDINGS)
        for word in words
    ]
    pairs = []
    for start in range(count):
        if not begins[start]:
            continue
        depth = 0
        for end in range(start, min(count, start + longest)):
            depth += words[end].bracket
            if depth < 0:
                break
            if depth == 0 and ends[end]:
                pairs.append((start, end + 1))
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return Spans(both[:, 0], both[:, 1])


def within(flags: Sequence[bool], spans: Spans) -> Floats:
    """Return how many of the words of each span have a flag."""
    sums = np.concatenate([[0], np.cumsum(np.array(flags, np.float64))])
    return np.asarray(sums[spans.ends] - sums[spans.starts], np.float64)


def gaps(flags: Sequence[bool]) -> tuple[Floats, Floats]:
    """Return for each boundary how many words lie between it and the next flagged word, to the left and right."""
    count = len(flags)
    left, right = np.full(count + 1, 99.0), np.full(count + 1, 99.0)
    for place in range(count):
        left[place + 1] = 0.0 if flags[place] else left[place] + 1
    for place in reversed(range(count)):
        right[place] = 0.0 if flags[place] else right[place + 1] + 1
    return left, right


def density(array: Floats, spans: Spans) -> Floats:
    """Return how near the flagged words lie around each span, 0 to 1."""
    places = np.flatnonzero(array)
    if not len(places):
        return np.zeros(len(spans))
    before = spans.starts[:, None] - 1 - places[None, :]
    behind = places[None, :] - spans.ends[:, None]
    distance = np.where(before >= 0, before, np.where(behind >= 0, behind, np.inf))
    return np.asarray(np.exp(-distance / _FAR).mean(axis=1), np.float64)
