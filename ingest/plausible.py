"""How much a text looks like text that people write: the judge between encodings that all fit the bytes."""

from __future__ import annotations

import re
import unicodedata

_RUN = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+[\x00-\x7f]?")
_HALF_KANA = re.compile(r"[\uff61-\uff9f]+")
# A Chinese character alone at a Latin letter: the quotation marks and accents of Western text, misread.
_LONE = re.compile(
    r"(?<=[A-Za-z])[\u4e00-\u9fff](?![^\x00-\x7f])|(?<![^\x00-\x7f])[\u4e00-\u9fff](?=[A-Za-z])"
)
_COMMON_MARKS = frozenset("、。「」『』（）・ー～〜…！？：；／，．　［］【】①②③④⑤○●◎△▲□■◆※→％＋－＝“”‘’")
_SAMPLE = 20_000
_PLACES = 20


def likelihood(text: str, *, foreign_only: bool = False) -> float:
    """Return how much a text looks like text people write, from -1 to 1; Japanese counts as such.

    At most about 20,000 characters are looked at, taken from all over the text. `foreign_only` leaves the
    ASCII out of the mean, for encodings in which ASCII says nothing.
    """
    sample = _foreign(text) if foreign_only else spread(text)
    total, count = 0.0, 0
    for char in sample:
        code = ord(char)
        if code < 0x80:
            if not foreign_only:
                count += 1
                total += 1.0 if code >= 0x20 or char in "\n\r\t" else -1.0
            continue
        if 0xFF61 <= code <= 0xFF9F:
            continue
        count += 1
        # Greek, Cyrillic, Hebrew, Arabic: in UTF-16 no accident of other bytes, in cp932 a rare exception.
        total += 0.7 if 0x370 <= code <= 0x6FF and not foreign_only else _weight(char, code)
    for match in _HALF_KANA.finditer(sample):
        length = len(match.group())
        beside = sample[max(0, match.start() - 1) : match.start()] + sample[match.end() : match.end() + 1]
        # Half-width kana come in words; single ones inside Latin words are accented letters misread.
        wordlike = length >= 3 or not any(char.isascii() and char.isalpha() for char in beside)
        count += length
        total += (0.45 if wordlike else -0.5) * length
    if foreign_only:
        total -= 1.5 * len(_LONE.findall(sample))
    return total / count if count else 0.0


def spread(text: str) -> str:
    """Return pieces from all over a text, about 20,000 characters at most."""
    if len(text) <= _SAMPLE:
        return text
    step, size = len(text) // _PLACES, _SAMPLE // _PLACES
    return "".join(text[at * step : at * step + size] for at in range(_PLACES))


def _foreign(text: str) -> str:
    """Return what is not ASCII, each run with its neighbours, from all over a text."""
    pieces: list[str] = []
    step = max(_SAMPLE, -(-len(text) // _PLACES))
    for start in range(0, len(text), step):
        taken = 0
        for match in _RUN.finditer(text, start, min(len(text), start + step)):
            pieces.append(match.group())
            taken += len(match.group())
            if taken >= _SAMPLE // _PLACES and len(text) > _SAMPLE:
                break
    # The line end keeps the runs apart: they are no neighbours.
    return "\n".join(pieces)


def _weight(char: str, code: int) -> float:
    if 0x3041 <= code <= 0x30FF or char in _COMMON_MARKS:
        return 1.0
    if 0x4E00 <= code <= 0x9FFF:
        try:
            first = char.encode("euc_jp")[0]
        except UnicodeEncodeError:
            return -0.3
        # JIS level 1, the everyday characters, lies in the rows 0xB0 to 0xCF.
        return 0.6 if 0xB0 <= first <= 0xCF else -0.3
    if 0xFF01 <= code <= 0xFF5E or 0x3000 <= code <= 0x3040:
        return 0.8
    if 0xC0 <= code <= 0x24F:
        return 0.5
    if 0x2010 <= code <= 0x27BF or 0x3200 <= code <= 0x33FF or 0x3099 <= code <= 0x309C:
        return 0.5
    return -1.0 if unicodedata.category(char) in ("Cc", "Co", "Cn", "Cs") else -0.2
