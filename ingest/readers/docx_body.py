"""The elements of a Word document's body, of a cell, a note or a text box, as blocks in their order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ingest.blocks import Block, BlockKind
from ingest.lines import heading_level
from ingest.readers.cells import one_line
from ingest.readers.docx_numbering import Marker, Numbering
from ingest.readers.docx_parts import ALTERNATE, VAL, Package, W
from ingest.readers.docx_styles import Styles, is_on, outline, value
from ingest.readers.docx_text import Inline, chosen, is_prompt, outermost
from ingest.readers.tables import markdown_table

_AROUND_BLOCKS = frozenset(f"{W}{name}" for name in ("ins", "smartTag", "customXml", "moveTo", "sdtContent"))
_AROUND_ROWS = frozenset(
    f"{W}{name}" for name in ("sdt", "sdtContent", "ins", "customXml", "moveTo", "smartTag")
)
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
# Numbers by which people cite a part of a law or a manual: no list item, but a head or a paragraph.
_CITED = re.compile(r"第|(?:article|section|chapter|part|appendix|annex)\b|別表|附則|様式", re.IGNORECASE)


class Body:
    """Turns elements into blocks. `inline` reads the paragraphs, `numbering` counts them."""

    def __init__(self, package: Package, styles: Styles, numbering: Numbering, inline: Inline) -> None:
        self._package = package
        self._styles = styles
        self._numbering = numbering
        self._inline = inline
        self._diagrams: dict[str, str] | None = None
        self.unread = 0
        """Embedded files (w:altChunk) that were met and not read."""

    def blocks(self, elements: Iterable[Any]) -> Iterator[Block]:
        """Yield the blocks of elements; those without text are among them."""
        for element in elements:
            tag = element.tag
            if tag == f"{W}p":
                if not self._styles.is_contents(_style(element)):
                    yield self._paragraph(element)
                yield from self._drawn(element)
            elif tag == f"{W}tbl":
                yield from self._table(element)
            elif tag == f"{W}sdt":
                content = element.find(f"{W}sdtContent")
                if content is not None and not is_prompt(element):
                    yield from self.blocks(content)
            elif tag == ALTERNATE:
                yield from self.blocks(chosen(element))
            elif tag in _AROUND_BLOCKS:
                yield from self.blocks(element)
            elif tag == f"{W}altChunk":
                self.unread += 1

    def _drawn(self, paragraph: Any) -> Iterator[Block]:
        """Yield what stands in the text boxes and diagrams that hang on a paragraph."""
        for box in outermost(paragraph, f"{W}txbxContent"):
            yield from self.blocks(box)
        for shape in outermost(paragraph, f"{_DIAGRAM}relIds"):
            part = self._diagram_parts().get(shape.get(f"{_RELATION}dm", ""))
            if part is None:
                continue
            for point in self._package.xml(part).iter(f"{_DIAGRAM}pt"):
                yield Block("".join(text.text or "" for text in point.iter(f"{_DRAWING}t")))

    def _diagram_parts(self) -> dict[str, str]:
        if self._diagrams is None:
            relations = self._package.relations(self._package.main)
            self._diagrams = {each.id: each.target for each in relations if each.kind == "diagramData"}
        return self._diagrams

    def _paragraph(self, element: Any) -> Block:
        text = self._inline.text(element)
        style = _style(element) or self._styles.default
        marker = self._marker(element, style, text)
        own = element.find(f"{W}pPr/{W}outlineLvl")
        level = outline(own) if own is not None else self._styles.heading_level(style)
        if not text:
            return Block("")
        number = marker.text if marker is not None and not marker.bullet else ""
        if level and len(text) <= 200:
            return Block(number + " ".join(text.split()), BlockKind.HEADING, level=min(level, 6))
        if marker is None:
            return Block(text)
        if _CITED.match(number):
            level = heading_level(number + text)
            return Block(number + text, BlockKind.HEADING if level else BlockKind.PARAGRAPH, level=level)
        return Block("  " * min(marker.level, 8) + marker.text + text, BlockKind.LIST_ITEM)

    def _marker(self, element: Any, style: str | None, text: str) -> Marker | None:
        properties = element.find(f"{W}pPr")
        own = None if properties is None else properties.find(f"{W}numPr")
        brought = self._styles.numbering(style)
        if own is None and brought is None:
            return None
        # Word counts an empty paragraph too, but not one that is deleted or hidden.
        if not text and (properties is not None and len(properties.findall(f"{W}rPr/*"))):
            gone = properties.find(f"{W}rPr")
            if gone.find(f"{W}del") is not None or is_on(gone, "vanish"):
                return None
        found = [each for each in (own, brought[0] if brought else None) if each is not None]
        number = next((one for each in found if (one := value(each.find(f"{W}numId")))), "0")
        depth = next((one for each in found if (one := value(each.find(f"{W}ilvl")))), None)
        level = int(depth) if depth and depth in tuple("012345678") else None
        return self._numbering.marker(number, level, brought[1] if brought else style)

    def _table(self, element: Any) -> Iterator[Block]:
        rows = [row for row in _parts(element, f"{W}tr") if row.find(f"{W}trPr/{W}del") is None]
        cells = [list(_parts(row, f"{W}tc")) for row in rows]
        if len(cells) == 1 and len(cells[0]) == 1:
            # A frame around text, not a table.
            yield from self.blocks(cells[0][0])
            return
        grid: list[list[str]] = []
        for row, inside in zip(rows, cells, strict=True):
            line = [""] * _count(row.find(f"{W}trPr/{W}gridBefore"), 0)
            for cell in inside:
                text = one_line(list(self.blocks(cell)))
                merged = cell.find(f"{W}tcPr/{W}vMerge")
                goes_on = merged is not None and merged.get(VAL) != "restart"
                if goes_on and grid and len(line) < len(grid[-1]):
                    # Each row can be understood by itself, wherever the table is split.
                    text = grid[-1][len(line)]
                line += [text, *[""] * (_count(cell.find(f"{W}tcPr/{W}gridSpan"), 1) - 1)]
            grid.append(line)
        yield Block(markdown_table(grid), BlockKind.TABLE)


def _style(paragraph: Any) -> str | None:
    return value(paragraph.find(f"{W}pPr/{W}pStyle"))


def _count(element: Any, default: int) -> int:
    found = value(element) or ""
    return min(int(found), 64) if found.isascii() and found.isdigit() else default


def _parts(element: Any, tag: str) -> Iterator[Any]:
    """Yield rows of a table or cells of a row, also those inside content controls."""
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag in _AROUND_ROWS:
            yield from _parts(child, tag)
