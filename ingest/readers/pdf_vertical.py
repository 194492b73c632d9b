"""Characters with places to pieces of text: lines that run to the right, and vertical Japanese columns.

A vertical page is turned: what runs down is taken for what runs to the right, and the next column to the
left for the next line below, so that everything that knows lines knows columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.lines import is_cjk
from ingest.readers.pdf_lines import Fragment, is_right_to_left


@dataclass(slots=True)
class Glyph:
    """A character at the start of its place, in points, turned so that its line runs to the right.

    `width` is how far it advances; a `size` of 0 marks a space or a line end that nobody drew.
    """

    char: str
    x: float
    y: float
    width: float
    size: float
    strong: bool

    @property
    def middle(self) -> float:
        """Where its middle lies along the line, in points."""
        return self.x + self.width / 2


def fragments_of(glyphs: Sequence[Glyph], width: float, height: float) -> list[Fragment]:
    """Return the pieces of text of a page of this width and height, in points, in reading order."""
    pieces: list[Fragment] = []
    columns: list[Fragment] = []
    at = 0
    line = _LineBuilder(pieces)
    while at < len(glyphs):
        found = _column(glyphs, at)
        if found:
            line.end()
            at, taken = found
            first = taken[0]
            text = "".join(glyph.char for glyph in taken)
            extent = first.y - taken[-1].y + first.size
            columns.append(Fragment(text, first.middle, first.y, first.size, first.strong, extent=extent))
            pieces.append(columns[-1])
        else:
            line.add(glyphs[at])
            at += 1
    line.end()
    vertical = sum(len(column.text) for column in columns)
    if vertical > sum(len(piece.text) for piece in pieces) / 2:
        return _turned(pieces, {id(column) for column in columns}, width, height)
    for column in columns:
        column.x -= column.size / 2
        column.extent = column.size
    return pieces


def _column(glyphs: Sequence[Glyph], start: int) -> tuple[int, list[Glyph]] | None:
    """Return where a column of vertical writing ends that begins at a glyph, and its glyphs, or None."""
    first = glyphs[start]
    if not first.size or not is_cjk(first.char):
        return None
    taken = [first]
    at = start + 1
    while at < len(glyphs):
        glyph = glyphs[at]
        if glyph.size and glyph.char != " ":
            down = taken[-1].y - glyph.y
            aside = abs(glyph.middle - first.middle)
            steps = 0.4 * first.size < down < 2.2 * first.size
            # Two or three figures stand side by side in a column.
            beside = len(taken) > 1 and abs(down) < 0.2 * first.size and glyph.char.isascii()
            similar = abs(glyph.size - first.size) < 0.3 * first.size
            if not (similar and aside < 0.6 * first.size and (steps or beside)):
                break
            taken.append(glyph)
        at += 1
    wide = sum(1 for glyph in taken if is_cjk(glyph.char))
    if taken[0].y - taken[-1].y < 1.6 * first.size or 2 * wide < len(taken):
        return None
    return at, taken


class _LineBuilder:
    """Puts characters that follow each other on a line together."""

    def __init__(self, into: list[Fragment]) -> None:
        self._into = into
        self._open: Fragment | None = None
        self._right = 0.0
        self._space = False
        self._turns = False

    def add(self, glyph: Glyph) -> None:
        piece = self._open
        if not glyph.size or glyph.char.isspace():
            self._space = True
            if glyph.char == "\n":
                self.end()
            return
        if piece is not None and self._follows(piece, glyph):
            piece.text += (" " if self._space else "") + glyph.char
            piece.extent = max(piece.extent, glyph.x + glyph.width - piece.x)
            if glyph.x < piece.x:
                piece.extent, piece.x = piece.extent + piece.x - glyph.x, glyph.x
        else:
            self.end()
            self._turns = False
            self._open = Fragment(
                glyph.char, glyph.x, glyph.y, glyph.size, glyph.strong, extent=glyph.width or 0.1
            )
        self._turns = self._turns or is_right_to_left(glyph.char)
        self._right = glyph.x + glyph.width
        self._space = False

    def _follows(self, piece: Fragment, glyph: Glyph) -> bool:
        if abs(piece.y - glyph.y) > 0.25 * glyph.size or abs(piece.size - glyph.size) > 0.1 * piece.size:
            return False
        if piece.strong != glyph.strong:
            return False
        if self._turns or is_right_to_left(glyph.char):
            return True
        return -0.6 * glyph.size < glyph.x - self._right < 1.2 * glyph.size

    def end(self) -> None:
        """Close the piece that is being written. A space after it belongs to it."""
        if self._open is not None:
            self._open.text += " " if self._space else ""
            self._into.append(self._open)
        self._open = None
        self._space = False


def _turned(pieces: Sequence[Fragment], columns: set[int], width: float, height: float) -> list[Fragment]:
    """Return the pieces of a vertical page so that columns are lines, the rightmost one the highest.

    What is written across on such a page is a head, a foot or a caption: it is put above or below.
    """
    turned: list[Fragment] = []
    row: list[Fragment] = []
    for piece in pieces:
        if id(piece) not in columns:
            turned += _rightmost_first(row)
            row = []
            piece.y += width if piece.y > height / 2 else -height
            turned.append(piece)
            continue
        if row and not _level(row[-1], piece):
            turned += _rightmost_first(row)
            row = []
        row.append(piece)
    return turned + _rightmost_first(row)


def _level(a: Fragment, b: Fragment) -> bool:
    """Tell whether two columns stand in one tier of the page."""
    common = min(a.y, b.y) - max(a.y - a.extent, b.y - b.extent)
    return common > 0.5 * min(a.extent, b.extent)


def _rightmost_first(columns: Sequence[Fragment]) -> list[Fragment]:
    ordered = sorted(columns, key=lambda column: -round(column.x))
    return [
        Fragment(piece.text, -piece.y, piece.x, piece.size, piece.strong, extent=piece.extent)
        for piece in ordered
    ]
