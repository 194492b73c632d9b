"""Markers such as [1] and [?] in a translated sentence: those that were there, and no other."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

MARKER = re.compile(r"\s*[\[［【〔]\s*(\d{1,3}|[?？])\s*[\]］】〕]")
_END = re.compile(r"\s*([.。．！？!?…」』）)\"']*)\s*$")


def mended(source: str, translated: str) -> tuple[str, bool]:
    """Return a translated sentence with the markers of its source, and whether they had to be mended.

    One that was made up is dropped, one that was lost is put at the end of the sentence, before its full stop.

    Args:
        source: a sentence with markers.
        translated: it in another language.
    """
    wanted = Counter(_marks(source))
    kept: Counter[str] = Counter()
    mended = False

    def keep(match: re.Match[str]) -> str:
        nonlocal mended
        mark = _plain(match[1])
        if kept[mark] >= wanted[mark]:
            mended = True
            return ""
        kept[mark] += 1
        return f" [{mark}]"

    text = MARKER.sub(keep, translated)
    if lost := [mark for mark in _marks(source) if mark in wanted - kept]:
        mended = True
        end = _END.search(text)
        assert end is not None
        marks = "".join(f"[{mark}]" for mark in dict.fromkeys(lost))
        text = f"{text[: end.start()]} {marks}{end[1]}"
    return text.strip(), mended


def _marks(text: str) -> list[str]:
    return [_plain(mark) for mark in MARKER.findall(text)]


def _plain(mark: str) -> str:
    return unicodedata.normalize("NFKC", mark)
