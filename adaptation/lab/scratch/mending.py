"""Noise of spelling, as scanners and converters leave it, mended or taken out of a text."""

from __future__ import annotations

import re
import unicodedata

_WIDTH = re.compile("[\uff01-\uffee\u3000]+")
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff\ufffd]+")
_CUT = re.compile(r"(?<=[a-z])-\n(?=[a-z])")
_APART = re.compile(r"\b(?:[A-Za-z] ){4,}[A-Za-z]\b")
_RUN = re.compile(r"([^\d\s])\1{3,}")
_JAPANESE = "\u3041-\u30ff\u3400-\u9fff"
_JAPANESE_GAP = re.compile(f"(?<=[{_JAPANESE}])[ \t]+(?=[{_JAPANESE}])")
_SPACES = re.compile("[ \t\u00a0]+")
_EMPTY_LINES = re.compile(r"\s*\n\s*\n\s*")
_LONG_LINE = 20
_LETTERS = 0.3
"""Share of its characters, spaces apart, that are letters in a line which is not noise."""


def mend(text: str) -> tuple[str, int]:
    """Return a text without noise, and how often something was mended.

    Full and half width are made one, what is not seen goes, words that a line's end cut are joined, as are letters that
    stand apart; a character repeated more than three times stands three times; long lines without words go.
    Superscripts and other signs keep their form, since they mean something.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text, widths = _WIDTH.subn(lambda found: unicodedata.normalize("NFKC", found.group()), text)
    text, unseen = _UNSEEN.subn("", text)
    text, cut = _CUT.subn("", text)
    text, apart = _APART.subn(lambda found: found.group().replace(" ", ""), text)
    text, runs = _RUN.subn(r"\1\1\1", text)
    text, gaps = _JAPANESE_GAP.subn("", text)
    lines = [_SPACES.sub(" ", line).strip() for line in text.split("\n")]
    kept = [line for line in lines if not _is_noise(line)]
    text = _EMPTY_LINES.sub("\n\n", "\n".join(kept)).strip()
    return text, widths + unseen + cut + apart + runs + gaps + len(lines) - len(kept)


def _is_noise(line: str) -> bool:
    signs = [character for character in line if not character.isspace()]
    return len(signs) >= _LONG_LINE and sum(map(str.isalpha, signs)) < _LETTERS * len(signs)
