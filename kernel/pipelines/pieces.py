"""A long text in pieces that a model reads one by one, cut where sentences end, and put together again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingest.sentences import split_sentences

Count = Callable[[str], int]
_SPACELESS = ("ja", "zh", "th")


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text, and what stood between it and the next."""

    text: str
    behind: str


def pieces_of(text: str, count: Count, most: int) -> list[Piece]:
    """Cut a text into pieces; a sentence that is too long alone is cut where it must be.

    Args:
        text: any.
        count: gives the tokens of a text.
        most: tokens that a piece may have.
    """
    spans = [span for start, end in split_sentences(text) for span in _short(text, start, end, count, most)]
    groups: list[tuple[int, int]] = []
    for start, end in spans:
        if groups and count(text[groups[-1][0] : end]) <= most:
            groups[-1] = groups[-1][0], end
        else:
            groups.append((start, end))
    ends = [start for start, _ in groups[1:]] + [len(text)]
    return [
        Piece(text[start:end], text[end:behind]) for (start, end), behind in zip(groups, ends, strict=True)
    ]


def rejoined(pieces: list[Piece], made: list[str], language: str) -> str:
    """Return what was made of pieces, with lines parted as they were.

    Args:
        pieces: of a text.
        made: of each.
        language: of what was made, which says whether a space stands between sentences.
    """
    glue = "" if language in _SPACELESS else " "
    text = ""
    for piece, each in zip(pieces, made, strict=True):
        text += each + ("\n" * piece.behind.count("\n") or glue)
    return text.strip()


def _short(text: str, start: int, end: int, count: Count, most: int) -> list[tuple[int, int]]:
    """Return a span, halved until each part is short enough: at a space near its middle, or within a word."""
    if end - start < 2 or count(text[start:end]) <= most:
        return [(start, end)]
    middle = (start + end) // 2
    space = text.rfind(" ", start + 1, middle)
    cut = space + 1 if space > (start + middle) // 2 else middle
    return [*_short(text, start, cut, count, most), *_short(text, cut, end, count, most)]
