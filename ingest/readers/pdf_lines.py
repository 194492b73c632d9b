"""The pieces of text of a page, with their place and size, and how pypdf reports them."""

from __future__ import annotations

import math
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ingest.lines import is_cjk
from ingest.readers.pdf_hidden import TINY, Box, InkWatch, Shown, is_outside

_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_LINE_SPACES = {9: 32, 10: 32, 13: 32}
# What the names of bold and italic fonts hold.
STRONG_NAMES = ("Bold", "bold", "Black", "Heavy", "CMBX", "Italic", "Oblique", "CMTI")


@dataclass(slots=True)
class Fragment:
    """A piece of text drawn at once. `x` runs along the writing, `y` grows upwards, in points.

    `strong` is text in a bold or an italic font. `extent` is how long it is drawn, 0 where it is not known.
    """

    text: str
    x: float
    y: float
    size: float
    strong: bool
    ends_line: bool = False
    extent: float = 0.0

    @property
    def length(self) -> float:
        """How long the piece is drawn, estimated where the engine does not tell."""
        return self.extent or self.size * sum(_ems(char) for char in self.text.strip())


@dataclass(slots=True)
class Line:
    """A line of a page; `cells` are its parts when wide gaps set them apart."""

    text: str
    x: float
    y: float
    size: float
    strong: bool
    page: int
    cells: tuple[str, ...] = ()


def _ems(char: str) -> float:
    """Return about how wide a character is in the common text fonts, in ems."""
    if is_cjk(char):
        return 1.0
    if char in "iljtfrI.,:;'|!()[]/- ":
        return 0.29
    return 0.83 if char in "mwMW@%—" else 0.67 if char.isupper() else 0.53


def clean(text: str) -> str:
    """Map Latin ligatures and no-break spaces, drop NUL, control and private-use characters."""
    if text.isascii() and text.isprintable():
        return text
    kept = (
        _LIGATURES.get(ord(char), " " if char in "\t\xa0\u2007\u202f" else char)
        for char in text
        if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Co", "Cs")
    )
    return "".join(kept)


def is_right_to_left(text: str) -> bool:
    """Tell whether a text is written from right to left."""
    return not text.isascii() and any(unicodedata.bidirectional(char) in ("R", "AL") for char in text)


def odd_share(text: str) -> float:
    """Return the share of characters that a text people write would not have, from 0 to 1.

    These are what a font without a known encoding turns into: unassigned and private-use characters,
    U+FFFD, pictures of control characters, and marks and scripts that stand where they cannot.
    """
    if text.isascii() and text.translate(_LINE_SPACES).isprintable():
        return 0.0
    odd = count = 0
    before = " "
    for char in text:
        if char.isspace():
            before = char
            continue
        count += 1
        kind = unicodedata.category(char)
        code = ord(char)
        unknown = kind in ("Co", "Cn", "Cc", "Cs") or code == 0xFFFD
        misread = 0x2400 <= code <= 0x243F or 0xA000 <= code <= 0xA4CF
        astray = kind == "Mn" and not before.isalpha()
        odd += unknown or misread or astray
        # A letter may carry several marks; marks do not carry each other.
        before = before if kind == "Mn" else char
    return odd / count if count else 0.0


@dataclass(frozen=True, slots=True)
class Suspect:
    """A piece of text that may be hidden, and its place; `undrawn` is one in the mode without ink."""

    piece: Fragment
    box: Box
    undrawn: bool


class Collector:
    """The visitor of pypdf's `extract_text`: it keeps the pieces of text of a page.

    `misplaced` counts the characters whose places pypdf does not know: those in fonts for vertical
    writing, and those in forms, whose own place on the page it leaves out. `unseen` are pieces that are too
    small or off the page, `suspects` those that may be hidden, each with its place; `mixed` says that pieces
    with other ink were put into one.
    """

    def __init__(self, ink: InkWatch | None = None, page: Box | None = None) -> None:
        self.fragments: list[Fragment] = []
        self.misplaced = 0
        self.unseen: list[Fragment] = []
        self.suspects: list[Suspect] = []
        self.mixed = False
        self._ink = ink or InkWatch()
        self._page = page
        self._forms = 0

    def before(self, operator: Any, operands: Any, cm: Any, tm: Any) -> None:
        """Note that a form or a picture is about to be drawn (for `visitor_operand_before`)."""
        self._forms += operator == b"Do"
        with suppress(IndexError, TypeError, ValueError):  # commands without what they need
            self._ink.take(operator, operands)

    def after(self, operator: Any, operands: Any, cm: Any, tm: Any) -> None:
        """Note that it was drawn (for `visitor_operand_after`)."""
        self._forms -= operator == b"Do"

    def __call__(self, text: str, cm: Any, tm: Any, font: Any, size: Any) -> None:
        """Take a piece of text with the matrices and the font that pypdf hands to a visitor."""
        into = self.fragments
        shown = self._ink.shown() if text.strip() else Shown()
        self.mixed = self.mixed or shown.mixed
        if not text.strip():
            # A space drawn on its own belongs to the piece before it.
            if into and text.strip("\n") and not into[-1].text.endswith((" ", "\n")):
                into[-1].text += " "
            return
        x, y, scale = _place(cm, tm)
        points = abs(float(size or 0) * scale) or 10.0
        if into and _is_double(into[-1], text, x, y, points):
            return
        name = str(font.get("/BaseFont", "")) if font is not None else ""
        if self._forms or (font is not None and str(font.get("/Encoding", "")).endswith("-V")):
            self.misplaced += len(text.strip())
        piece = Fragment(text, x, y, points, any(mark in name for mark in STRONG_NAMES))
        into.append(piece)
        self._judge(piece, cm, tm, shown)

    def _judge(self, piece: Fragment, cm: Any, tm: Any, shown: Shown) -> None:
        """Note a piece that cannot be seen, or that may be hidden by its ink. Pieces in forms have no place."""
        if self._forms:
            return
        left, bottom = (tm[4] * cm[at] + tm[5] * cm[at + 2] + cm[at + 4] for at in (0, 1))
        along = [tm[0] * cm[at] + tm[1] * cm[at + 2] for at in (0, 1)]
        length = math.hypot(*along) or 1.0
        right, top = (
            start + piece.length * step / length for start, step in zip((left, bottom), along, strict=True)
        )
        high = piece.size
        box = (
            min(left, right),
            min(bottom, top) - 0.2 * high,
            max(left, right),
            max(bottom, top) + 0.8 * high,
        )
        if piece.size <= TINY or is_outside(box, self._page):
            self.unseen.append(piece)
        elif shown.suspect:
            self.suspects.append(Suspect(piece, box, shown.undrawn))


def _is_double(last: Fragment, text: str, x: float, y: float, size: float) -> bool:
    """Tell whether a text is drawn again, a hair apart, to look bold.

    Where pypdf does not know the place of a piece it repeats the one before, so that a single letter at
    the very same place may well be the next letter of a line.
    """
    dx, dy = abs(last.x - x), abs(last.y - y)
    if last.text.strip() != text.strip() or dx > 0.15 * size or dy > 0.15 * size:
        return False
    return len(text.strip()) > 1 or dx + dy > 0


def _place(cm: Any, tm: Any) -> tuple[float, float, float]:
    """Return where a text matrix puts a text, turned so that writing runs to the right, and its scale."""
    a, b = tm[0] * cm[0] + tm[1] * cm[2], tm[0] * cm[1] + tm[1] * cm[3]
    c, d = tm[2] * cm[0] + tm[3] * cm[2], tm[2] * cm[1] + tm[3] * cm[3]
    e, f = tm[4] * cm[0] + tm[5] * cm[2] + cm[4], tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
    length = math.hypot(a, b) or 1.0
    cos, sin = a / length, b / length
    return e * cos + f * sin, f * cos - e * sin, math.hypot(c, d)
