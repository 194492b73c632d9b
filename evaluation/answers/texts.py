"""How near a text is to an expected one: exact match and F1 over words.

English is compared as SQuAD does (lower case, no punctuation, no articles), Japanese after NFKC by Sudachi's short
words as they stand there, without punctuation. Of several right answers the nearest counts.
Source: Rajpurkar et al., EMNLP 2016.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from evaluation.questions import folded
from kernel.answering.citations import UNSUPPORTED_MARK

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_MARKER = re.compile(r"\s?\[(\d{1,3})\]")
_SUDACHI_PIECE = 8000  # characters; the library takes 49,149 bytes at most
_SILENT = frozenset({"補助記号", "空白"})


@lru_cache(maxsize=4096)
def words(text: str, language: str) -> tuple[str, ...]:
    """Return the words of a text that are compared."""
    text = unicodedata.normalize("NFKC", text).lower()
    if language == "ja":
        return tuple(_japanese(text))
    bare = "".join(character for character in text if not unicodedata.category(character).startswith("P"))
    return tuple(_ARTICLES.sub(" ", bare).split())


def _japanese(text: str) -> list[str]:
    tokenizer = _sudachi()
    found: list[str] = []
    for start in range(0, len(text), _SUDACHI_PIECE):
        for word in tokenizer.tokenize(text[start : start + _SUDACHI_PIECE]):
            # A decimal point or a hyphen within a word is no punctuation of its own.
            if word.part_of_speech()[0] not in _SILENT and any(map(str.isalnum, word.surface())):
                found.append(word.surface())
    return found


@lru_cache(maxsize=1)
def _sudachi() -> Any:
    from sudachipy import Dictionary, SplitMode

    return Dictionary().tokenizer(SplitMode.A)


def exact_match(text: str, expected: Sequence[str], language: str) -> float:
    """Return 1 where the words are those of a right answer, else 0."""
    return _best(lambda a, b: float(a == b), text, expected, language)


def token_f1(text: str, expected: Sequence[str], language: str) -> float:
    """Return the F1 of the words shared with the nearest right answer, 0 to 1; doubles count as often as they come."""
    return _best(f1, text, expected, language)


def f1(first: Sequence[str], second: Sequence[str]) -> float:
    """Return the F1 of two lists of words; two without any are the same."""
    if not first or not second:
        return float(first == second)
    shared = sum((Counter(first) & Counter(second)).values())
    return 2 * shared / (len(first) + len(second))


def contains(text: str, expected: Sequence[str]) -> float:
    """Return 1 where a right answer stands in the text, width, case and white space aside."""
    whole = folded(text)
    return float(any(folded(answer) in whole for answer in expected if folded(answer)))


def without_markers(text: str, markers: Sequence[int]) -> str:
    """Return an answer's text without the markers of its citations, and without the marks of unsupported sentences."""
    known = frozenset(markers)
    text = text.replace(f" {UNSUPPORTED_MARK}", "")
    return _MARKER.sub(lambda found: "" if int(found[1]) in known else found[0], text)


def _best(
    compare: Callable[[Sequence[str], Sequence[str]], float],
    text: str,
    expected: Sequence[str],
    language: str,
) -> float:
    own = words(text, language)
    return max((compare(own, words(answer, language)) for answer in expected), default=0.0)
