"""Words that a line end divides: made whole by what the rest of the document writes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ingest.lines import hyphenated_words, join_lines, seam
from ingest.readers.pdf_lines import Line

_SOFT = "\u00ad"
_STEM = re.compile(r"([^\W\d_]+)[-‐]$")
_TAIL = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"[^\W\d_]+")


class DividedWords:
    """What a document tells about its hyphens.

    A word that it writes with a hyphen within a line (`follow-up`) keeps the hyphen at a line end; one that
    it writes whole elsewhere loses it, even where the part before it is a prefix that may keep it
    (`ex-empted`).
    """

    def __init__(self, pages: Sequence[Sequence[Line]]) -> None:
        # Page by page: the words of a whole book at once would take up many times its size.
        self.hyphenated: frozenset[str] = frozenset(
            word for lines in pages for word in hyphenated_words("\n".join(line.text for line in lines))
        )
        divided = {whole for lines in pages for a, b in pairwise(lines) if (whole := _whole(a.text, b.text))}
        self._whole = (
            {
                word
                for lines in pages
                for line in lines
                for word in map(str.lower, _WORD.findall(line.text))
                if word in divided
            }
            if divided
            else set[str]()
        )

    def joined(self, lines: Sequence[str]) -> str:
        """Return the lines of a paragraph as one."""
        return join_lines(self._softened(lines), self.hyphenated)

    def kept_apart(self, lines: Sequence[str]) -> str:
        """Return lines that stay lines, but for the words that are divided between them."""
        text = ""
        for line in self._softened(lines):
            if text:
                last = text[text.rfind("\n") + 1 :]
                cut, _ = seam(last, line, self.hyphenated)
                text = text[:-cut] if cut else text + "\n"
            text += line
        return text

    def _softened(self, lines: Sequence[str]) -> Iterator[str]:
        """Yield the lines with a soft hyphen where a known word is divided: those always join."""
        for line, after in pairwise([*lines, ""]):
            word = _whole(line, after)
            known = word in self._whole and _with_hyphen(line, after) not in self.hyphenated
            yield line[:-1] + _SOFT if word and known else line


def _parts(line: str, after: str) -> tuple[str, str] | None:
    stem, tail = _STEM.search(line), _TAIL.match(after)
    return (stem.group(1).lower(), tail.group().lower()) if stem and tail and after[0].islower() else None


def _whole(line: str, after: str) -> str:
    parts = _parts(line, after)
    return "".join(parts) if parts else ""


def _with_hyphen(line: str, after: str) -> str:
    return "-".join(_parts(line, after) or ())
