"""The elements of an OpenDocument text, cell or text box as blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ingest.blocks import Block, BlockKind
from ingest.readers.odf import repeated
from ingest.readers.tables import markdown_table
from ingest.readers.xml import attribute, child, local_name

_MOST_REPEATED = 64
"""Columns or rows that one element with text may stand for; more is decoration."""
_MOST_SPACES = 64

# Text that is not read where it stands: the reading of furigana, deleted text, notes, comments, boxes.
_ASIDE = frozenset(
    {"ruby-text", "tracked-changes", "deletion", "note", "annotation", "frame", "custom-shape", "text-box"}
)
_CONTENTS = frozenset(
    {
        "table-of-content",
        "illustration-index",
        "table-index",
        "alphabetical-index",
        "object-index",
        "user-index",
    }
)
_SHAPES = frozenset(
    {
        "frame",
        "custom-shape",
        "rect",
        "ellipse",
        "circle",
        "line",
        "connector",
        "polygon",
        "path",
        "caption",
        "text-box",
    }
)


class Body:
    """Walks through elements. Footnotes are gathered, to stand after the text.

    `numbered` are the names of list styles that number their items.
    """

    def __init__(self, numbered: frozenset[str] = frozenset()) -> None:
        self.notes: list[Block] = []
        self._numbered = numbered

    def blocks(self, parent: Iterable[Any]) -> Iterator[Block]:
        """Yield the blocks of an element's children in document order."""
        for element in parent:
            name = local_name(element)
            if name == "h":
                level = attribute(element, "outline-level") or "1"
                yield Block(
                    " ".join(text_of(element).split()),
                    BlockKind.HEADING,
                    level=min(6, max(1, int(level) if level.isdigit() else 1)),
                )
                yield from self._aside(element)
            elif name == "p":
                yield Block(text_of(element).strip())
                yield from self._aside(element)
            elif name == "list":
                yield from self._list(element, 0, attribute(element, "style-name") or "")
            elif name == "table":
                yield from self._table(element)
            elif name in _SHAPES or name in ("section", "g", "index-body", "list-header"):
                yield from self.blocks(element)
            elif name and name not in _CONTENTS and name not in _ASIDE and name != "forms":
                # Elements of other programs, tracked insertions, pages.
                yield from self.blocks(element)

    def _aside(self, paragraph: Any) -> Iterator[Block]:
        """Yield the text boxes that hang on a paragraph, and put its footnotes by."""
        for element in paragraph:
            name = local_name(element)
            if name in _SHAPES:
                yield from self.blocks([element])
            elif name == "note":
                if (body := child(element, "note-body")) is not None:
                    self.notes += [block for block in self.blocks(body) if block.text]
            elif name and name != "annotation":
                yield from self._aside(element)

    def _list(self, element: Any, depth: int, style: str) -> Iterator[Block]:
        count = 0
        for item in element:
            if local_name(item) not in ("list-item", "list-header"):
                continue
            count += 1
            indent = "  " * min(depth, 8)
            marker = f"{count}. " if style in self._numbered else "- "
            for part in item:
                if local_name(part) == "list":
                    yield from self._list(part, depth + 1, attribute(part, "style-name") or style)
                    continue
                for block in self.blocks([part]):
                    if block.kind is BlockKind.PARAGRAPH and block.text:
                        yield Block(indent + marker + block.text, BlockKind.LIST_ITEM)
                        marker = " " * len(marker)
                    else:
                        yield block

    def _table(self, element: Any) -> Iterator[Block]:
        rows = list(self.rows(element))
        if len(rows) == 1 and len(rows[0]) == 1:
            yield Block(rows[0][0])
        elif table := markdown_table(rows):
            yield Block(table, BlockKind.TABLE)

    def rows(self, table: Any) -> Iterator[list[str]]:
        """Yield the texts of a table's rows, without the empty rows and cells that fill it up."""
        for row in _rows(table):
            cells: list[str] = []
            for cell in row:
                name = local_name(cell)
                if name not in ("table-cell", "covered-table-cell"):
                    continue
                text = "" if name == "covered-table-cell" else self.cell(cell)
                cells += [text] * repeated(cell, "number-columns-repeated", _MOST_REPEATED)
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                yield from [cells] * repeated(row, "number-rows-repeated", _MOST_REPEATED)

    def cell(self, cell: Any) -> str:
        """Return the text of a cell, its paragraphs on lines of their own."""
        return "\n".join(block.text for block in self.blocks(cell) if block.text)


def _rows(table: Any) -> Iterator[Any]:
    for element in table:
        name = local_name(element)
        if name == "table-row":
            yield element
        elif name in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _rows(element)


def text_of(element: Any) -> str:
    """Return the text of a paragraph: spaces and tabs restored, of furigana the base only."""
    pieces = [element.text or ""]
    for each in element:
        name = local_name(each)
        if name == "s":
            count = attribute(each, "c") or "1"
            pieces.append(" " * min(int(count) if count.isdigit() else 1, _MOST_SPACES))
        elif name == "tab":
            pieces.append("\t")
        elif name == "line-break":
            pieces.append("\n")
        elif name and name not in _ASIDE and name not in _SHAPES:
            pieces.append(text_of(each))
        pieces.append(each.tail or "")
    return "".join(pieces)
