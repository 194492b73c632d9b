"""Encodings of fonts that are not embedded and that pypdf does not know."""

from __future__ import annotations

import codecs
from typing import Any

# The names are those of PDF 32000-1, table 118, without the direction at their end.
_CMAPS = {
    "/EUC-": "euc_jp", "/90msp-RKSJ-": "cp932", "/90pv-RKSJ-": "cp932", "/83pv-RKSJ-": "cp932",
    "/Add-RKSJ-": "cp932", "/Ext-RKSJ-": "cp932", "/UniJIS2004-UTF16-": "utf-16-be",
    "/UniJISX0213-UTF16-": "utf-16-be", "/KSC-EUC-": "cp949", "/KSCms-UHC-": "cp949",
    "/UniKS-UTF16-": "utf-16-be", "/B5pc-": "cp950", "/": "tekio_jis7",
}  # fmt: skip


def teach_encodings() -> None:
    """Add the Japanese and Korean encodings that pypdf lacks to its table."""
    try:
        from pypdf._cmap import _predefined_cmap as table
    except ImportError:
        return
    if "/H" in table:
        return
    codecs.register(_jis7)
    for name, encoding in _CMAPS.items():
        for direction in "HV":
            table.setdefault(name + direction, encoding)


def _jis7(name: str) -> codecs.CodecInfo | None:
    """The codec of the CMap /H: pairs of 7-bit JIS X 0208 codes, which are EUC-JP without the high bits."""
    if name != "tekio_jis7":
        return None

    def decode(data: Any, errors: str = "strict") -> tuple[str, int]:
        raw = bytes(data)
        return bytes(byte | 0x80 for byte in raw).decode("euc_jp", "replace"), len(raw)

    def encode(text: str, errors: str = "strict") -> tuple[bytes, int]:
        return bytes(byte & 0x7F for byte in text.encode("euc_jp", "replace")), len(text)

    return codecs.CodecInfo(encode, decode, name=name)


def read_fonts_alike() -> None:
    """Keep pypdf from reading embedded fonts by fontTools where that happens to be installed.

    With it the codes of some embedded CFF fonts become other letters than the document's own encoding says (seen
    with pypdf 7.1), and what a file holds would depend on what else is installed.
    """
    try:
        from pypdf.generic import _font
    except ImportError:  # another version of pypdf keeps it elsewhere
        return
    _font.HAS_FONTTOOLS = False
