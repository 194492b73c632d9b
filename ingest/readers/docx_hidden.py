"""Whether a person can see the letters of a run of a Word document: its colour, its size, what it stands on."""

from __future__ import annotations

from typing import Any

from ingest.readers.docx_parts import VAL, W
from ingest.readers.docx_styles import Styles, value

_TINY = 4
"""Half points: a size of two points and less is read by nobody."""
_LIGHT = 0xF4


def is_unseen(run: Any, styles: Styles) -> bool:
    """Tell whether a run is too small to read, or white on nothing but the white page.

    White letters count only where nothing tells of another ground: no shading around them, no table whose style may
    shade its rows, no drawing, no page colour.
    """
    properties = run.find(f"{W}rPr")
    if properties is None:
        return False
    size = value(properties.find(f"{W}sz"))
    if size is not None and size.isascii() and size.isdigit() and int(size) <= _TINY:
        return True
    colour = properties.find(f"{W}color")
    if colour is None or not _is_white(colour.get(VAL)) or properties.find(f"{W}highlight") is not None:
        return False
    return not is_shaded(properties) and not _stands_on_ground(run, styles)


def _is_white(code: str | None) -> bool:
    if code is None or len(code) != 6:
        return False
    try:
        return all(int(code[at : at + 2], 16) >= _LIGHT for at in (0, 2, 4))
    except ValueError:
        return False


def is_shaded(properties: Any | None) -> bool:
    """Tell whether properties of a run, a paragraph, a cell or a table give a ground that is not white."""
    shade = None if properties is None else properties.find(f"{W}shd")
    if shade is None:
        return False
    fill, pattern = shade.get(f"{W}fill", "auto"), shade.get(VAL, "clear")
    themed = shade.get(f"{W}themeFill") is not None
    return themed or pattern not in ("clear", "nil") or (fill != "auto" and not _is_white(fill))


def _stands_on_ground(run: Any, styles: Styles) -> bool:
    for element in run.iterancestors():
        tag = element.tag
        if tag == f"{W}p":
            style = value(element.find(f"{W}pPr/{W}pStyle")) or styles.default
            grounds = [each.find(f"{W}pPr") for each in styles.chain(style)]
            if any(is_shaded(ground) for ground in (element.find(f"{W}pPr"), *grounds)):
                return True
        if tag == f"{W}tc" and is_shaded(element.find(f"{W}tcPr")):
            return True
        if tag == f"{W}tbl" and (
            element.find(f"{W}tblPr/{W}tblStyle") is not None or is_shaded(element.find(f"{W}tblPr"))
        ):
            return True
        if tag == f"{W}txbxContent":
            return True
        if tag == f"{W}document":
            return element.find(f"{W}background") is not None
    return False
