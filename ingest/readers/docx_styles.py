"""What the styles of a Word document mean: headings, lists, tables of contents, hidden text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ingest.readers.docx_parts import VAL, W

_HEADING_NAME = re.compile(
    r"(?:heading|見出し|überschrift|titre|título|titolo|标题|제목)\s*([1-9])", re.IGNORECASE
)
_TITLE_NAMES = ("title", "表題")
_CONTENTS_NAME = re.compile(r"(?:toc|目次)\s*\d+", re.IGNORECASE)


def value(element: Any) -> str | None:
    """Return the w:val of an element; None for None and where there is none."""
    found = None if element is None else element.get(VAL)
    return None if found is None else str(found)


def outline(element: Any) -> int:
    """Return the level of a heading from a w:outlineLvl, 0 for body text."""
    level = value(element) or ""
    return int(level) + 1 if level in tuple("012345678") else 0


def is_on(properties: Any, name: str) -> bool | None:
    """Return a switch such as w:vanish from run properties; None where it is not set."""
    found = None if properties is None else properties.find(f"{W}{name}")
    return None if found is None else found.get(VAL, "1") not in ("0", "false", "off")


class Styles:
    """The styles of a document, each with those it is based on."""

    def __init__(self, root: Any | None) -> None:
        found = [] if root is None else root.findall(f"{W}style")
        self._styles: dict[str, Any] = {style.get(f"{W}styleId"): style for style in found}
        self._hidden: dict[str, bool] = {}
        self._levels: dict[str, int] = {}
        # A paragraph that names no style has this one.
        self.default = next(
            (
                str(style.get(f"{W}styleId"))
                for style in found
                if style.get(f"{W}type") == "paragraph" and style.get(f"{W}default") in ("1", "true")
            ),
            None,
        )

    def heading_level(self, style_id: str | None) -> int:
        """Return the level of headings in a style, from 1; 0 for a style of other text."""
        key = style_id or ""
        if key not in self._levels:
            self._levels[key] = self._find_level(style_id)
        return self._levels[key]

    def is_contents(self, style_id: str | None) -> bool:
        """Tell whether a style is that of a table of contents, which repeats the headings."""
        style = self._styles.get(style_id or "")
        name = "" if style is None else value(style.find(f"{W}name")) or ""
        return _CONTENTS_NAME.fullmatch(name.strip()) is not None

    def is_hidden(self, style_id: str | None) -> bool:
        """Tell whether the text in a style of paragraphs or characters is hidden."""
        key = style_id or ""
        if key not in self._hidden:
            switches = (is_on(style.find(f"{W}rPr"), "vanish") for style in self.chain(style_id))
            self._hidden[key] = next((on for on in switches if on is not None), False)
        return self._hidden[key]

    def numbering(self, style_id: str | None) -> tuple[Any, str] | None:
        """Return the numbering (w:numPr) that a style brings, and the id of the style that says so."""
        for style in self.chain(style_id):
            found = style.find(f"{W}pPr/{W}numPr")
            if found is not None:
                return found, str(style.get(f"{W}styleId"))
        return None

    def _find_level(self, style_id: str | None) -> int:
        for style in self.chain(style_id):
            level = style.find(f"{W}pPr/{W}outlineLvl")
            if level is not None:
                return outline(level)
            name = (value(style.find(f"{W}name")) or "").strip()
            if match := _HEADING_NAME.fullmatch(name):
                return int(match.group(1))
            if name.lower() in _TITLE_NAMES:
                return 1
        return 0

    def chain(self, style_id: str | None) -> Iterator[Any]:
        """Yield a style and those that it is based on."""
        seen: set[str] = set()
        while style_id and style_id not in seen and style_id in self._styles:
            seen.add(style_id)
            style = self._styles[style_id]
            yield style
            style_id = value(style.find(f"{W}basedOn"))
