"""Bytes to text. Nothing is dropped to make a file readable, and the encoding is reported.

The order is: byte order mark, ISO-2022-JP by its escapes, UTF-16 and UTF-32 without a mark, strict UTF-8, a
declared encoding, the Japanese encodings strictly over the whole file and chosen by plausibility, EBCDIC,
then Western and other ones. Each step takes time in proportion to the file.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from ingest.plausible import likelihood, spread

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
# Single bytes that Python's cp932 reads, but that stand for nothing.
_NOT_CP932 = re.compile(r"[\x80\xa0\uf8f0-\uf8f3]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_KANA = re.compile("[\u3041-\u30ff]+")
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
# Codecs of Python that are no encodings of documents.
_NO_CHARSETS = frozenset(
    {"raw_unicode_escape", "raw-unicode-escape", "punycode", "idna", "undefined", "mbcs", "oem"}
)
_GUESSED = 1 << 18
# Windows-1252 as browsers read it: the five bytes without a meaning stay control characters.
_WESTERN = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}
_UNDEFINED = re.compile("[\x81\x8d\x8f\x90\x9d]")
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
        or _ebcdic(data)
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
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    # Half of a pair cannot be stored or shown.
    return Decoded(_SURROGATE.sub("\ufffd", text), encoding)


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
    if nul > len(data) // 2:
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
            score = likelihood(text)
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
    if encoding.startswith(("utf", "unicode")) or encoding in _NO_CHARSETS:
        return None
    text = _strictly(data, encoding)
    return _done(text, encoding) if text is not None else None


def _japanese(data: bytes) -> Decoded | None:
    best: tuple[float, str, str] | None = None
    for encoding in ("cp932", "euc_jp"):
        text = _strictly(data, encoding)
        if text is None or _NOT_CP932.search(text):
            continue
        score = likelihood(text, foreign_only=True)
        if score >= _PLAUSIBLE and (best is None or score > best[0]):
            best = (score, text, encoding)
    return _done(best[1], best[2]) if best else None


def _ebcdic(data: bytes) -> Decoded | None:
    """EBCDIC of the mainframes: its space is the at sign of ASCII, its letters lie above ASCII."""
    if data.count(b"\x40") < 0.05 * len(data) or data.count(b" ") > 0.01 * len(data):
        return None
    text = data.decode("cp500")
    sample = text[:20000]
    plain = sum(1 for char in sample if char.isascii() and (char.isalnum() or char in " .,;:\n\r\t-"))
    if plain < 0.85 * len(sample):
        return None
    # The two common pages differ in seven signs; after a word stands an exclamation mark, not a bar.
    american = data.decode("cp037")
    if len(re.findall(r"\w!(?=\s|$)", american)) > len(re.findall(r"\w!(?=\s|$)", text)):
        return _done(american.replace("\x85", "\n"), "cp037")
    return _done(text.replace("\x85", "\n"), "cp500")


def _damaged(data: bytes) -> Decoded | None:
    """A few broken bytes do not make a file another encoding: they are shown as U+FFFD."""
    step = len(data) // 16
    sample = (
        data if len(data) < _GUESSED else b"".join(data[at * step : at * step + 4096] for at in range(16))
    )
    for encoding in ("utf-8", "cp932", "euc_jp"):
        # Cuts break characters too: the sample only rules out, the whole file decides.
        if _sound(sample, encoding, 5) and (text := _sound(data, encoding, 20)):
            return _done(text, encoding)
    return None


def _sound(data: bytes, encoding: str, times: int) -> str | None:
    """Return the text if it has `times` as many characters that prove its encoding as broken ones."""
    text = data.decode(encoding, "replace")
    if encoding == "cp932":
        text = _NOT_CP932.sub("\ufffd", text)
    bad = text.count("\ufffd")
    good = len(text) - len((_FOREIGN if encoding == "utf-8" else _KANA).sub("", text))
    good -= bad if encoding == "utf-8" else 0
    return text if good >= max(1, times * bad) else None


def _other(data: bytes) -> Decoded:
    """Western text, or what the statistics of charset-normalizer say; every byte stands for something."""
    western = data.decode("latin-1").translate(_WESTERN)
    sample = spread(western)
    letters = sum(1 for char in sample if char.isalpha())
    accented = sum(1 for char in sample if char.isalpha() and not char.isascii())
    undefined = _UNDEFINED.search(western) is not None
    # Statistics over a few bytes say nothing: the most common encoding is the better guess then.
    if not undefined and (accented <= 0.2 * letters or len(data) < 32):
        return _done(western, "cp1252")
    from charset_normalizer import from_bytes

    # Its time would be far from linear; the whole file still has the last word.
    head = data if len(data) <= _GUESSED else data[: data.rfind(b"\n", 0, _GUESSED) + 1 or _GUESSED]
    for guess in from_bytes(head, cp_exclusion=["utf_7"]):
        text = _strictly(data, guess.encoding)
        if text is not None:
            return _done(text, guess.encoding)
    return _done(western, "cp1252")
