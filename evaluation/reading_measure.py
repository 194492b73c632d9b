"""How much of an expected text a reading holds, in order, and how much it holds besides."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from rapidfuzz.distance import LCSseq

_PIECE = 40_000
_ANCHOR = 40
# What the readers put around cells and code, and what no source counts as its text.
_RULE = re.compile(r"^(?:\|(?:\s*:?-{3,}:?\s*\|)+|```.*|~~~.*)$", re.MULTILINE)
_NOT_COUNTED = re.compile(r"[\s|¦\u00ad\ufeff]+")


@dataclass(frozen=True, slots=True)
class Likeness:
    """`similarity`: share of the expected characters that were read in order. `excess`: share of the
    characters read that are not expected. Both from 0 to 1.
    """

    similarity: float
    excess: float


def fold(text: str) -> str:
    """Return the characters that count: NFKC, without white space, bars, rules of tables and fences."""
    return _NOT_COUNTED.sub("", unicodedata.normalize("NFKC", _RULE.sub("", text)))


def likeness(expected: str, read: str) -> Likeness:
    """Compare a reading with the expected text; both are folded first.

    The longest common subsequence is measured in pieces of 40,000 characters, cut where both texts agree,
    so that the time grows with the length and not with its square. A cut can only lower the similarity.
    """
    wanted, found = fold(expected), fold(read)
    shared = common(wanted, found)
    return Likeness(
        shared / len(wanted) if wanted else 1.0,
        1.0 - shared / len(found) if found else 0.0,
    )


def common(wanted: str, found: str) -> int:
    """Return how many characters of `wanted` stand in `found` in the same order, see `likeness`."""
    total = at = there = 0
    while len(wanted) - at > _PIECE and len(found) - there > _ANCHOR:
        end, until = _cut(wanted, at, found, there)
        total += int(LCSseq.similarity(wanted[at:end], found[there:until]))
        at, there = end, until
    # With nothing cut between them the rest may be long on one side only, which costs little.
    return total + int(LCSseq.similarity(wanted[at:], found[there : there + 4 * _PIECE]))


def _cut(wanted: str, at: int, found: str, there: int) -> tuple[int, int]:
    """Return where both texts end a piece: behind characters that they share, or one piece on."""
    for end in range(at + _PIECE, at + _PIECE // 2, -_ANCHOR):
        needle = wanted[end - _ANCHOR : end]
        # A needle that recurs would cut at the wrong place.
        place = found.find(needle, there, there + 3 * _PIECE)
        if place >= 0 and found.find(needle, place + 1, there + 3 * _PIECE) < 0:
            return end, place + _ANCHOR
    return at + _PIECE, min(len(found), there + _PIECE)


def in_order(phrases: tuple[str, ...], read: str) -> list[str]:
    """Return the phrases that do not stand in a reading behind those before them."""
    text = fold(read)
    at = 0
    missing = []
    for phrase in phrases:
        place = text.find(fold(phrase), at)
        if place < 0:
            missing.append(phrase)
        else:
            at = place + len(fold(phrase))
    return missing
