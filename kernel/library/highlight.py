"""Where a quote stands in the text of a page that another engine read: by its letters and digits alone.

The text of a document was put together from its pages: words that a line end cut were joined, tables became rows with
bars, odd characters their usual forms. So both texts are compared without spaces, marks and case.
"""

from __future__ import annotations

import unicodedata
from difflib import SequenceMatcher

_SHORTEST_BLOCK = 6
_LEAST_SHARE = 0.5
_LONGEST = 4000
_AROUND = 3000
"""Letters that are looked at before and after where the quote should stand, when it is not there to the letter."""


def places(quote: str, page: str, before: float) -> list[tuple[int, int]]:
    """Return the spans of a page's text that a quote is, as (start, end); none where it is not found.

    Args:
        quote: as the document has it.
        page: the text of the page.
        before: the share of the page that stands before the quote, 0 to 1, which tells the same words apart.
    """
    wanted = "".join(letter for letter, _ in _letters(quote))[:_LONGEST]
    kept = _letters(page)
    if not wanted or not kept:
        return []
    text = "".join(letter for letter, _ in kept)
    expected = round(before * len(text))
    found = _nearest(wanted, text, expected)
    blocks = [(found, found + len(wanted))] if found is not None else _alike(wanted, text, expected)
    return [(kept[start][1], kept[end - 1][1] + 1) for start, end in blocks]


def letters_of(text: str) -> int:
    """Return how many letters and digits of a text are compared."""
    return len(_letters(text))


def _letters(text: str) -> list[tuple[str, int]]:
    """Return the letters and digits of a text in one form, each with its place."""
    return [
        (letter, place)
        for place, mark in enumerate(text)
        for letter in unicodedata.normalize("NFKC", mark).casefold()
        if letter.isalnum()
    ]


def _nearest(wanted: str, text: str, expected: int) -> int | None:
    best: int | None = None
    start = text.find(wanted)
    while start >= 0:
        if best is None or abs(start - expected) < abs(best - expected):
            best = start
        start = text.find(wanted, start + 1)
    return best


def _alike(wanted: str, text: str, expected: int) -> list[tuple[int, int]]:
    """Return the pieces of a text that are also in the quote, in the same order; none if they are little of it."""
    low = max(0, expected - _AROUND)
    window = text[low : expected + len(wanted) + _AROUND]
    blocks = SequenceMatcher(None, wanted, window, autojunk=False).get_matching_blocks()
    kept = [block for block in blocks if block.size >= min(_SHORTEST_BLOCK, len(wanted))]
    if sum(block.size for block in kept) < _LEAST_SHARE * len(wanted):
        return []
    return [(low + block.b, low + block.b + block.size) for block in kept]
