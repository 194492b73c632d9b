"""What a corpus holds, counted by language."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from adaptation.lab.scratch.collecting import Text
from retrieval.analysis import japanese_words, normalize

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_MOST_COMMON = 100
_SAMPLE = 400_000
"""Characters of a language whose words are counted, at most: cutting Japanese into words takes the longest."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one language: texts, characters and bytes, the median length of a text in characters; of the words of a
    sample, how many there are, how many differ, how many are there once, and the share of the hundred most frequent."""

    language: str
    texts: int
    characters: int
    bytes: int
    median: float
    words: int
    distinct: int
    once: int
    most_common: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def count(texts: Sequence[Text]) -> list[Counts]:
    """Count texts by language, the language with the most first."""
    by_language: dict[str, list[str]] = {}
    for text in texts:
        by_language.setdefault(text.language, []).append(text.text)
    found = [_counts(language, held) for language, held in by_language.items()]
    return sorted(found, key=lambda each: -each.characters)


def _counts(language: str, texts: Sequence[str]) -> Counts:
    lengths = [len(text) for text in texts]
    words = _words(language, texts)
    total = sum(words.values())
    common = sum(times for _, times in words.most_common(_MOST_COMMON))
    return Counts(
        language=language,
        texts=len(texts),
        characters=sum(lengths),
        bytes=sum(len(text.encode("utf-8", "replace")) for text in texts),
        median=statistics.median(lengths),
        words=total,
        distinct=len(words),
        once=sum(times == 1 for times in words.values()),
        most_common=common / total if total else 0.0,
    )


def _words(language: str, texts: Sequence[str]) -> Counter[str]:
    words: Counter[str] = Counter()
    left = _SAMPLE
    for text in texts:
        plain = normalize(text[:left])
        if language == "ja":
            words.update(word.surface for line in plain.split("\n") if line for word in japanese_words(line))
        else:
            words.update(_WORD.findall(plain))
        left -= len(plain)
        if left <= 0:
            break
    return words
