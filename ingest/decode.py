"""Bytes to text. Nothing is dropped to make a file readable, and the encoding is reported.

The order is: byte order mark, strict UTF-8, UTF-16 and UTF-32 without a mark, a declared encoding, the
Japanese encodings strictly over the whole file and chosen by plausibility, then Western and other ones.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
# What a label means in practice (WHATWG Encoding Standard), where Python's codec is narrower.
_LABELS = {
    "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "x-sjis": "cp932", "windows-31j": "cp932",
    "ms_kanji": "cp932", "iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252",
    "gb2312": "gb18030", "gbk": "gb18030", "euc-kr": "cp949", "ks_c_5601-1987": "cp949",
    "x-euc-jp": "euc_jp", "euc-jp": "euc_jp",
}  # fmt: skip
_ESCAPE = re.compile(rb"\x1b(?:\$[@B(]|\([BIJ])")
_HALF_KANA = re.compile(r"[\uff61-\uff9f]+")
# Single bytes that Python's cp932 reads, but that stand for nothing.
_NOT_CP932 = re.compile(r"[\x80\xa0\uf8f0-\uf8f3]")
_COMMON_MARKS = frozenset("、。「」『』（）・ー～〜…！？：；／，．　［］【】①②③④⑤○●◎△▲□■◆※→％＋－＝“”‘’")
_PLAUSIBLE = 0.3


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text with line ends as `\\n` and without NUL, and the name of the codec that read it."""

    text: str
    encoding: str

    @property
    def warnings(self) -> list[str]:
        """What a person should know of the decoding, for `ReadResult.warnings`."""
        lost = self.text.count("\ufffd")
        return [f"{lost} characters are damaged and stand as \ufffd"] if lost else []


def decode_text(data: bytes, declared: str | None = None) -> Decoded:
    """Decode a whole file.

    `declared` is what the file says of itself (an HTML meta charset); it is asked only when the bytes are
    not valid UTF-8, because such declarations are often wrong. A character cut at the very end is left
    out; damaged bytes in a file that else is plainly UTF-8 or Japanese become U+FFFD. Never raises.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            body = data[len(mark) :]
            text = _strictly(body, encoding)
            return _done(body.decode(encoding, "replace") if text is None else text, encoding)
    return (
        _escaped_japanese(data)
        or _wide(data)
        or _utf8(data)
        or _declared(data, declared)
        or _japanese(data)
        or _damaged(data)
        or _other(data)
    )


def is_binary(text: str) -> bool:
    """Tell whether a decoded text is no text: too many control characters."""
    sample = text[:8192]
    if not sample:
        return False
    odd = sum(1 for char in sample if unicodedata.category(char) == "Cc" and char not in "\n\t\f\x0b\x1b")
    return odd > 0.02 * len(sample)


def _done(text: str, encoding: str) -> Decoded:
    return Decoded(text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", ""), encoding)


def _strictly(data: bytes, encoding: str) -> str | None:
    """Decode strictly, but for a character that the end of the file cut in two."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        cut = error.start
        at_end = error.end == len(data) and len(data) - cut < 4
        if not (
            at_end
            and (
                "unexpected end" in error.reason
                or "truncated" in error.reason
                or "incomplete" in error.reason
            )
        ):
            return None
    except (LookupError, ValueError):
        return None
    return data[:cut].decode(encoding)


def _utf8(data: bytes) -> Decoded | None:
    text = _strictly(data, "utf-8")
    # "caf\xe9" ends like a cut character; it is one only in a text that shows other UTF-8 characters.
    if text is None or (text.isascii() and not data.isascii()):
        return None
    return _done(text, "utf-8")


def _escaped_japanese(data: bytes) -> Decoded | None:
    if not data.isascii() or not _ESCAPE.search(data):
        return None
    for encoding in ("iso2022_jp", "iso2022_jp_ext", "iso2022_jp_3"):
        text = _strictly(data, encoding)
        if text is not None:
            return _done(text, encoding)
    return None


def _wide(data: bytes) -> Decoded | None:
    """UTF-16 or UTF-32 without a byte order mark, told by how plausible the text becomes."""
    if len(data) < 4:
        return None
    nul = data.count(0)
    if nul > len(data) // 2 and len(data) % 4 == 0:
        for encoding in ("utf-32-le", "utf-32-be"):
            text = _strictly(data, encoding)
            if text:
                return _done(text, encoding)
    if nul == 0 and _strictly(data, "utf-8") is not None:
        return None
    best: tuple[float, str, str] | None = None
    for encoding in ("utf-16-le", "utf-16-be"):
        text = _strictly(data, encoding)
        if text and "\x00" not in text:
            score = _likelihood(text)
            if best is None or score > best[0]:
                best = (score, text, encoding)
    # Pairs of bytes of any other encoding look like rare Chinese characters: ask for much more than that.
    if best is None or best[0] < 0.65:
        return None
    return _done(best[1], best[2])


def _declared(data: bytes, declared: str | None) -> Decoded | None:
    if not declared:
        return None
    label = declared.strip().strip("\"'").lower()
    encoding = _LABELS.get(label, label)
    if encoding.startswith(("utf", "unicode")):
        return None
    text = _strictly(data, encoding)
    return _done(text, encoding) if text is not None else None


def _japanese(data: bytes) -> Decoded | None:
    best: tuple[float, str, str] | None = None
    for encoding in ("cp932", "euc_jp"):
        text = _strictly(data, encoding)
        if text is None or _NOT_CP932.search(text):
            continue
        score = _likelihood(text, foreign_only=True)
        if score >= _PLAUSIBLE and (best is None or score > best[0]):
            best = (score, text, encoding)
    return _done(best[1], best[2]) if best else None


def _likelihood(text: str, *, foreign_only: bool = False) -> float:
    """Return how much a text looks like text people write, from -1 to 1; Japanese counts as such.

    `foreign_only` leaves the ASCII out of the mean, for encodings in which ASCII says nothing.
    """
    total, count = 0.0, 0
    for char in text[:20000]:
        code = ord(char)
        if code < 0x80:
            if not foreign_only:
                count += 1
                total += 1.0 if code >= 0x20 or char in "\n\r\t" else -1.0
            continue
        if 0xFF61 <= code <= 0xFF9F:
            continue
        count += 1
        total += _weight(char, code)
    for match in _HALF_KANA.finditer(text[:20000]):
        length = len(match.group())
        beside = text[max(0, match.start() - 1) : match.start()] + text[match.end() : match.end() + 1]
        # Half-width kana come in words; single ones inside Latin words are accented letters misread.
        wordlike = length >= 3 or not any(char.isascii() and char.isalpha() for char in beside)
        count += length
        total += (0.45 if wordlike else -0.5) * length
    return total / count if count else 0.0


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


def _damaged(data: bytes) -> Decoded | None:
    """A few broken bytes do not make a file another encoding: they are shown as U+FFFD."""
    for encoding in ("utf-8", "cp932", "euc_jp"):
        text = data.decode(encoding, "replace")
        if encoding == "cp932":
            text = _NOT_CP932.sub("\ufffd", text)
        bad = text.count("\ufffd")
        kana = sum(1 for char in text if "\u3041" <= char <= "\u30ff")
        good = kana if encoding != "utf-8" else sum(1 for char in text if char > "\x7f") - bad
        if good >= max(1, 20 * bad):
            return _done(text, encoding)
    return None


def _other(data: bytes) -> Decoded:
    western = _strictly(data, "cp1252")
    letters = sum(1 for char in (western or "") if char.isalpha())
    accented = sum(1 for char in (western or "") if char.isalpha() and not char.isascii())
    # Statistics over a few bytes say nothing: the most common encoding is the better guess then.
    if western is not None and (accented <= 0.2 * letters or len(data) < 32):
        return _done(western, "cp1252")
    from charset_normalizer import from_bytes

    guess = from_bytes(data).best()
    if guess is not None:
        return _done(str(guess), guess.encoding)
    return _done(
        western if western is not None else data.decode("latin-1"), "cp1252" if western else "latin-1"
    )
