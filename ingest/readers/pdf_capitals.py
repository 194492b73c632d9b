"""Small capitals that pypdf sets apart from their large one: `F EDERAL` for `FEDERAL`.

The large first letter and the smaller rest are drawn in two sizes, and the step between them is taken
for a space. Only what the document itself writes as one word elsewhere is put together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ingest.readers.pdf_lines import Line

# A and I are words of their own.
_SPLIT = re.compile(r"(?<![^\W_])([B-HJ-Z](?: [A-Z]{2,12}){1,2})(?![^\W_])")
_WORD = re.compile(r"[^\W\d_]+")


def join_small_capitals(pages: Sequence[Sequence[Line]]) -> None:
    """Put the split words of a document together, in its lines and their cells.

    A capital and what follows it are one word where they stand elsewhere as one, in whatever case, and
    where what follows stands nowhere without a single capital before it (`PLAN B TEAM` stays).
    """
    splits = {split for lines in pages for line in lines for split in _splits(line.text)}
    if not splits:
        return
    wanted = {split.replace(" ", "").lower() for split in splits}
    tails = {tail for split in splits for tail in split.split(" ")[1:]}
    whole: set[str] = set()
    alone: set[str] = set()
    for lines in pages:
        for line in lines:
            before = ""
            for word in _WORD.findall(line.text):
                if word in tails and len(before) != 1 and before not in tails:
                    alone.add(word)
                if word.lower() in wanted:
                    whole.add(word.lower())
                before = word
    known = {
        split: joined
        for split in splits
        if (joined := split.replace(" ", "")).lower() in whole and not alone & {*split.split(" ")[1:]}
    }
    if known:
        _replace(pages, known)


def _splits(text: str) -> Iterator[str]:
    """Yield what may be a split word: a capital with the one, and with the two groups after it."""
    for match in _SPLIT.finditer(text):
        pieces = match.group().split(" ")
        for end in range(2, len(pieces) + 1):
            yield " ".join(pieces[:end])


def _replace(pages: Sequence[Sequence[Line]], known: dict[str, str]) -> None:
    longest_first = sorted(known, key=len, reverse=True)
    pattern = re.compile(rf"(?<![^\W_])(?:{'|'.join(longest_first)})(?![^\W_])")

    def joined(text: str) -> str:
        return pattern.sub(lambda match: known[match.group()], text)

    for lines in pages:
        for line in lines:
            line.text, line.cells = joined(line.text), tuple(joined(cell) for cell in line.cells)
