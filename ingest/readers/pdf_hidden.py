"""Text of a PDF page that no reader sees: white on white, off the page, too small.

White letters may stand on a dark ground. So what the drawing commands say is only a suspicion: the page is drawn, and
text is hidden where nothing at all shows at its place. Text in the mode that draws nothing lies over most scans, where
it is the words of the picture, and every viewer finds it: it is kept, and counted where no picture shows at its place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points on the page."""

TINY = 1.5
"""Points; smaller letters are read by nobody."""
_WHITE = 0.95
_CONTRAST = 24
"""Shades of 256 between the darkest and the lightest place, from which on something shows."""
_MARGIN = 2.0
_NOT_DRAWN = (3, 7)
_SHOWS = (b"Tj", b"TJ", b"'", b'"')


@dataclass(frozen=True, slots=True)
class _Ink:
    white: bool = False
    mode: int = 0
    opaque: bool = True

    @property
    def is_undrawn(self) -> bool:
        return self.mode in _NOT_DRAWN

    @property
    def is_suspect(self) -> bool:
        return self.white or self.is_undrawn or not self.opaque


@dataclass(frozen=True, slots=True)
class Shown:
    """Whether a piece of text may be hidden, whether only a part may, and whether it is in the mode without ink."""

    suspect: bool = False
    mixed: bool = False
    undrawn: bool = False


class InkWatch:
    """Follows the commands of a page and tells whether the text that was shown since it was last asked can be seen."""

    def __init__(self, states: Mapping[str, float] | None = None) -> None:
        """Begin a page; `states` gives the opacity that each named graphics state sets."""
        self._states = states or {}
        self._ink = _Ink()
        self._kept: list[_Ink] = []
        self._shown: list[_Ink] = []

    def take(self, operator: bytes, operands: Any) -> None:
        """Follow one command."""
        if operator in _SHOWS:
            self._shown.append(self._ink)
        elif operator == b"q":
            self._kept.append(self._ink)
        elif operator == b"Q":
            self._ink = self._kept.pop() if self._kept else self._ink
        elif operator == b"Tr":
            self._ink = replace(self._ink, mode=int(operands[0]))
        elif operator in (b"g", b"rg", b"k", b"sc", b"scn", b"cs"):
            self._ink = replace(self._ink, white=operator != b"cs" and _is_white(operands))
        elif operator == b"gs":
            self._ink = replace(self._ink, opaque=self._states.get(str(operands[0]), 1.0) > 1 - _WHITE)

    def shown(self) -> Shown:
        """Return what is known of all that was shown since the last call."""
        inks, self._shown = self._shown, []
        suspects = [ink.is_suspect for ink in inks]
        return Shown(
            suspect=bool(inks) and all(suspects),
            mixed=any(suspects) and not all(suspects),
            undrawn=any(ink.is_undrawn for ink in inks),
        )


def opacities(page: Any) -> dict[str, float]:
    """Return the opacity for fills of each graphics state that a page of pypdf names."""
    found: dict[str, float] = {}
    with contextlib.suppress(Exception):  # broken resources set nothing
        states = page["/Resources"].get_object()["/ExtGState"].get_object()
        for name, state in states.items():
            found[str(name)] = float(state.get_object().get("/ca", 1.0))
    return found


def page_box(page: Any) -> Box | None:
    """Return what is shown of a page of pypdf, None where it does not say."""
    with contextlib.suppress(Exception):
        box = page.cropbox
        left, right = sorted((float(box.left), float(box.right)))
        bottom, top = sorted((float(box.bottom), float(box.top)))
        return (left, bottom, right, top) if right - left > 1 and top - bottom > 1 else None
    return None


def is_outside(box: Box, page: Box | None) -> bool:
    """Tell whether a place is off the page."""
    if page is None:
        return False
    left, bottom, right, top = box
    return (
        right < page[0] - _MARGIN
        or left > page[2] + _MARGIN
        or top < page[1] - _MARGIN
        or bottom > page[3] + _MARGIN
    )


def shows(picture: Any, scale: float, page: Box, boxes: Sequence[Box]) -> list[bool]:
    """Tell of each place whether anything can be seen there in a grey picture of the page (PIL)."""
    seen = []
    for left, bottom, right, top in boxes:
        area = (
            max(0, int((left - page[0]) * scale)),
            max(0, int((page[3] - top) * scale)),
            min(picture.width, int((right - page[0]) * scale) + 1),
            min(picture.height, int((page[3] - bottom) * scale) + 1),
        )
        if area[0] >= area[2] or area[1] >= area[3]:
            seen.append(False)
            continue
        darkest, lightest = picture.crop(area).getextrema()
        seen.append(lightest - darkest >= _CONTRAST)
    return seen


def _is_white(operands: Any) -> bool:
    try:
        parts = [float(part) for part in operands]
    except (TypeError, ValueError):
        return False  # the name of a pattern
    if len(parts) == 4:
        return max(parts) <= 1 - _WHITE
    return len(parts) in (1, 3) and min(parts) >= _WHITE
