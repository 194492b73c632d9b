"""Where a text may be cut without taking a mark off its letter or half of an emoji away.

The rules are those of Unicode Standard Annex #29 that matter for text in documents, without its tables.
"""

from __future__ import annotations

import unicodedata

_JOINER = "\u200d"
# Clusters longer than this are no letters of any language; they are cut as any text.
LONGEST = 64


def is_boundary(text: str, at: int) -> bool:
    """Tell whether a text may be cut before `text[at]`."""
    if at <= 0 or at >= len(text):
        return True
    char, before = text[at], text[at - 1]
    # Most text is plain letters, kana and Chinese characters.
    if char < "\u0300" and before != _JOINER:
        return not (char == "\n" and before == "\r")
    if "\u3041" <= char <= "\u3096" or "\u30a1" <= char <= "\u30fa" or "\u4e00" <= char <= "\u9fff":
        return before != _JOINER
    if _extends(char):
        return False
    if before == _JOINER:
        return unicodedata.category(char) != "So"
    if _is_flag_letter(char) and _is_flag_letter(before):
        return _flag_letters_before(text, at) % 2 == 0
    if "\udc00" <= char <= "\udfff":
        return not "\ud800" <= before <= "\udbff"
    # The vowel and the final consonant of a Korean syllable that is written in parts.
    return not ("\u1160" <= char <= "\u11ff" and "\u1100" <= before <= "\u11ff")


def boundary_near(text: str, at: int, start: int, end: int) -> int:
    """Return the boundary nearest to `at` within (start, end): before it, else behind it, else `at`.

    `end` itself is given only when there is none before it.
    """
    for place in range(at, max(start, at - LONGEST), -1):
        if is_boundary(text, place):
            return place
    for place in range(at + 1, min(end, at + LONGEST)):
        if is_boundary(text, place):
            return place
    return at


def _extends(char: str) -> bool:
    return (
        char == _JOINER
        or unicodedata.category(char) in ("Mn", "Mc", "Me")
        or char in "ﾞﾟ"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"
    )


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flag_letters_before(text: str, at: int) -> int:
    first = at
    while first > max(0, at - LONGEST) and _is_flag_letter(text[first - 1]):
        first -= 1
    return at - first
