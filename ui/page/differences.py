"""Where answers to the same question differ: the words of each that stand in none of the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

_TOKEN = re.compile(
    r"\[[\d?]{1,3}\]|[^\W\u3040-\u30ff\u4e00-\u9fff]+(?:[.,'’-][^\W\u3040-\u30ff\u4e00-\u9fff]+)*|\S"
)
"""A marker, a word or figure, else a single sign: Japanese is compared by its characters."""
_WORD = re.compile(r"\w")
_MARKER = re.compile(r"\[[\d?]{1,3}\]")
Span = tuple[int, int]


def differences(texts: Sequence[str]) -> list[list[Span]]:
    """Return for each text the spans that stand in none of the others, in the same order of words; markers are none.

    A text alone, or an empty one, differs in nothing.
    """
    tokens = [[match for match in _TOKEN.finditer(text) if not _MARKER.fullmatch(match[0])] for text in texts]
    words = [[match[0].casefold() for match in found] for found in tokens]
    result = []
    for place, found in enumerate(tokens):
        others = [held for other, held in enumerate(words) if other != place and held]
        shared: set[int] = set()
        for held in others:
            for block in SequenceMatcher(None, words[place], held, autojunk=False).get_matching_blocks():
                shared.update(range(block.a, block.a + block.size))
        own = [number for number in range(len(found)) if others and number not in shared]
        result.append(
            _joined([found[number] for number in own if _WORD.search(found[number][0])], texts[place])
        )
    return result


def _joined(found: Sequence[re.Match[str]], text: str) -> list[Span]:
    """Join neighbours that nothing but space lies between."""
    spans: list[Span] = []
    for match in found:
        if spans and not text[spans[-1][1] : match.start()].strip():
            spans[-1] = spans[-1][0], match.end()
        else:
            spans.append(match.span())
    return spans
