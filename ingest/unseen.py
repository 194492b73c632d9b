"""Characters that no reader sees, taken out of a text: they carry messages past people, or split words.

Tag characters (U+E0000 to U+E007F), runs of variation selectors and runs of characters without width can spell
whole sentences that only a program reads. Direction marks show another order than is stored. What a script
needs stays: a joiner between letters of Persian or Hindi, the selector of an emoji or of a variant of a
Chinese character.
"""

from __future__ import annotations

import re

_FLAG = re.compile("(?<=\U0001f3f4)[\U000e0030-\U000e0039\U000e0061-\U000e007a]{2,6}\U000e007f")
_TAGS = re.compile("[\U000e0000-\U000e007f]+")
_SELECTORS = re.compile("(?<=[\ufe00-\ufe0f\U000e0100-\U000e01ef])[\ufe00-\ufe0f\U000e0100-\U000e01ef]+")
_WIDTHLESS = re.compile("[\u200b-\u200d\u2060-\u2064\ufeff\u180e]+")
_DIRECTIONS = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")
_JOINERS = "\u200c\u200d"
# Shorter runs separate or join; a message needs more.
_MESSAGE = 4


def without_unseen(text: str) -> tuple[str, int]:
    """Return a text without what no reader sees, and how many characters of it could have carried a message.

    Single marks, which word processors leave behind, are taken out and not counted.
    """
    if text.isascii():
        return text, 0
    hidden = 0

    def count(match: re.Match[str]) -> str:
        nonlocal hidden
        hidden += len(match.group())
        return ""

    def widthless(match: re.Match[str]) -> str:
        nonlocal hidden
        run = match.group()
        hidden += len(run) if len(run) >= _MESSAGE else 0
        return run if run in _JOINERS and _joins(text, match) else ""

    text = _TAGS.sub(count, _FLAG.sub("", text))
    text = _SELECTORS.sub(count, text)
    text = _WIDTHLESS.sub(widthless, text)
    return _DIRECTIONS.sub("", text), hidden


def _joins(text: str, match: re.Match[str]) -> bool:
    """Tell whether a joiner stands between characters of a script that has them, or of an emoji."""
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    return bool(before and after) and _has_joiners(before) and _has_joiners(after)


def _has_joiners(char: str) -> bool:
    code = ord(char)
    letter = 0x0590 <= code <= 0x1CFF  # from Hebrew and Arabic over the scripts of India to Mongolian
    return letter or code >= 0x1F000 or 0x2190 <= code <= 0x2BFF or code == 0xFE0F
