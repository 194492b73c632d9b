"""How good the text of a page is, from 0 to 1: what decides which engine reads it.

Each sign of a misread page is measured as the share of characters it touches; the score is 1 less the
shares, each above what good pages show of it, times its weight. Weights and allowances were chosen on
every page of the public test documents, on Japanese, English and Chinese articles, code and OCR text (all
score above 0.9), and on the same texts spoiled: spaces taken out, letters spaced out, characters doubled,
codes shifted as in fonts without a table, UTF-8 taken for Latin-1 (all below 0.7).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from ingest.readers.pdf_lines import odd_share

# A page above this is believed without a second look.
GOOD = 0.85

_CID = re.compile(r"\(cid:\d+\)|/[gGuC]\d{1,5}(?=/|\b)")
_DOUBLED = re.compile(r"(?:([^\W_])\1){3,}")
# What stands between spaces, or between signs that are written without any.
_TOKEN = re.compile(r"[^\s\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]+")
# The name of a glyph, or part of one, in the place of each glyph of a row of dots or of a rule.
_CYCLE = re.compile(r"(?=\S{0,11}[^\W\d_])(\S{2,12}?)\1{4,}")
_WORD = re.compile(r"[^\W\d_]+")
_SINGLES = re.compile(r"(?<![^\s])(?:[^\W\d_](?:[ \u3000]|$)){5,}")
_VOWEL = re.compile(r"[aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýÿœ]", re.I)
# UTF-8 read as Latin-1 or cp1252.
_MOJIBAKE = re.compile(r"[ÃÂâãåäæçèé][\u0080-\u00bf‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]+")
# No word of a natural language without hyphens is longer; compounds of German stay below.
_LONGEST_WORD = 32
_CODE = re.compile(r"[/@_\\=<>{}|]|www\.")


@dataclass(frozen=True, slots=True)
class Quality:
    """The shares, 0 to 1, of the characters of a page that show each fault."""

    odd: float = 0.0
    doubled: float = 0.0
    glued: float = 0.0
    split: float = 0.0
    mixed: float = 0.0
    unspeakable: float = 0.0

    @property
    def score(self) -> float:
        """The quality from 0 (no text) to 1."""
        loss = sum(
            weight * max(0.0, getattr(self, name) - allowed) for name, (weight, allowed) in _WEIGHTS.items()
        )
        return max(0.0, 1.0 - float(loss))


# The weight of each share, and what good pages show of it.
_WEIGHTS = {
    "odd": (4.0, 0.005),
    "doubled": (1.5, 0.02),
    "glued": (1.5, 0.05),
    "split": (1.5, 0.05),
    "mixed": (2.0, 0.01),
    "unspeakable": (2.5, 0.3),
}


def quality(raw: str, text: str = "") -> Quality:
    """Measure a page.

    Args:
        raw: its characters as the engine gives them.
        text: its lines, in order, with spaces between words; `raw` where there are none.
    """
    text = text or raw
    count = len(_WORD.sub("x", text)) and sum(1 for char in text if not char.isspace())
    if not count:
        return Quality()
    words = _WORD.findall(text)
    return Quality(
        odd=min(1.0, odd_share(raw) + (_length(_CID, raw) + _length(_CYCLE, text) / 4) / max(1, len(raw))),
        doubled=sum(len(each.group()) for each in _DOUBLED.finditer(text) if len(set(each.group())) > 1)
        / count,
        glued=_glued(text),
        split=_length(_SINGLES, text) / 2 / count,
        mixed=(sum(len(word) for word in words if _is_mixed(word)) + _length(_MOJIBAKE, text)) / count,
        unspeakable=_unspeakable(words),
    )


def _length(pattern: re.Pattern[str], text: str) -> int:
    return sum(len(match.group()) for match in pattern.finditer(text))


def _glued(text: str) -> float:
    """Return the share of characters in what is far longer than a word, in scripts that set spaces.

    Where only some spaces are lost, words are too long on the average: English has 5 letters, German 6 or 7.
    """
    tokens = [token for token in _TOKEN.findall(text) if not _CODE.search(token)]
    words = [word for token in tokens for word in _WORD.findall(token) if _script(word[0]) in _SPACED]
    if not words:
        return 0.0
    letters = sum(len(word) for word in words)
    long = sum(len(token) for token in tokens if len(token) > _LONGEST_WORD and _is_prose(token))
    mean = letters / len(words) if len(words) > 30 else 0.0
    return max(long / max(1, sum(map(len, tokens))), min(1.0, max(0.0, (mean - 8.5) / 6))) * _share(
        letters, text
    )


def _is_prose(token: str) -> bool:
    letters = sum(1 for char in token if char.isalpha())
    return letters > 0.85 * len(token) and max(map(len, _WORD.findall(token))) > 12


def _share(letters: int, text: str) -> float:
    return letters / max(1, sum(1 for char in text if char.isalpha()))


_SPACED = frozenset({"LATIN", "GREEK", "CYRILLIC"})


def _script(char: str) -> str:
    if char.isascii():
        return "LATIN"
    return unicodedata.name(char, "").partition(" ")[0]


def _is_mixed(word: str) -> bool:
    """Tell whether a word mixes alphabets, as no word does; single Greek letters stand in formulas."""
    if word.isascii() or len(word) < 3:
        return False
    scripts = {_script(char) for char in word} & (
        _SPACED | {"HANGUL", "YI", "ETHIOPIC", "CHEROKEE", "CANADIAN"}
    )
    return len(scripts) > 1


def _unspeakable(words: list[str]) -> float:
    """Return the share of letters in Latin words of four letters or more that have no vowel.

    Capitals alone are left out: they are often abbreviations. Too few words tell nothing.
    """
    latin = [word for word in words if len(word) > 3 and _script(word[0]) == "LATIN"]
    if len(latin) < 8:
        return 0.0
    silent = sum(len(word) for word in latin if not _VOWEL.search(word))
    return silent / sum(len(word) for word in latin)
