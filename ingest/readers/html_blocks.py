"""The elements of a page as blocks: headings, paragraphs, items of lists, tables, code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ingest.blocks import Block, BlockKind
from ingest.lines import is_cjk
from ingest.readers.cells import one_line
from ingest.readers.tables import markdown_table

if TYPE_CHECKING:
    from bs4 import Tag
    from bs4.element import PageElement

_HEADING = re.compile("h([1-6])")
_BLOCK_TAGS = re.compile(
    "p|div|section|article|main|header|blockquote|figure|figcaption|address|details|summary|fieldset|legend|"
    "form|aside|dl|dt|dd|body|html|center|hgroup|caption|hr|tr|td|th"
)
_SPACE = re.compile(r"[ \t\r\n\f\xa0]+")
_BREAK = "\x00"


def blocks_of(tag: Tag) -> list[Block]:
    """Return the blocks of what stands inside an element, in order."""
    walker = _Walker()
    walker.walk(tag)
    walker.flush()
    return walker.blocks


def squeeze(text: str) -> str:
    """Make runs of white space one space, or none at a line end between Japanese characters."""

    def one(match: re.Match[str]) -> str:
        before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        wide = before and after and is_cjk(before) and is_cjk(after) and "\n" in match.group()
        return "" if wide else " "

    return _SPACE.sub(one, text).strip()


class _Walker:
    """Goes through the tree and gathers inline text until a block begins or ends."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._pending: list[str] = []
        self._lists: list[int | None] = []
        self._marker = ""

    def walk(self, node: Tag) -> None:
        for child in node.children:
            self._visit(child)

    def flush(self) -> None:
        lines = (squeeze(part) for part in "".join(self._pending).split(_BREAK))
        text = "\n".join(line for line in lines if line)
        self._pending.clear()
        if not text:
            return
        if self._lists:
            self.blocks.append(Block(self._marker + text, BlockKind.LIST_ITEM))
            self._marker = " " * len(self._marker)
        else:
            self.blocks.append(Block(text))

    def _visit(self, child: PageElement) -> None:
        from bs4 import Tag
        from bs4.element import NavigableString

        if isinstance(child, Tag):
            self._visit_tag(child)
        elif type(child) is NavigableString:  # not a comment, a doctype or a processing instruction
            self._pending.append(str(child).replace(_BREAK, ""))

    def _visit_tag(self, tag: Tag) -> None:
        name = tag.name
        if name == "br":
            self._pending.append(_BREAK)
        elif heading := _HEADING.fullmatch(name):
            self.flush()
            text = squeeze(tag.get_text(" ") if tag.find("br") else tag.get_text())
            if text:
                self.blocks.append(Block(text, BlockKind.HEADING, level=int(heading.group(1))))
        elif name in ("pre", "listing", "xmp"):
            self.flush()
            self._code(tag)
        elif name == "table":
            self.flush()
            self._table(tag)
        elif name in ("ul", "ol", "menu"):
            self.flush()
            start = str(tag.get("start", "1"))
            first = int(start) - 1 if start.isascii() and start.isdigit() and len(start) < 7 else 0
            self._in_list(tag, first if name == "ol" else None)
        elif name == "li":
            self._item(tag)
        elif _BLOCK_TAGS.fullmatch(name):
            self.flush()
            self.walk(tag)
            self.flush()
        else:
            self.walk(tag)

    def _in_list(self, tag: Tag, first: int | None) -> None:
        self._lists.append(first)
        self.walk(tag)
        self.flush()
        self._lists.pop()

    def _item(self, tag: Tag) -> None:
        self.flush()
        if not self._lists:
            self._in_list(tag, None)
            return
        number = self._lists[-1]
        if number is not None:
            self._lists[-1] = number + 1
        self._marker = "  " * (len(self._lists) - 1) + ("- " if number is None else f"{number + 1}. ")
        self.walk(tag)
        self.flush()

    def _code(self, tag: Tag) -> None:
        for line_end in tag.find_all("br"):
            line_end.replace_with("\n")
        code = tag.get_text().strip("\n").rstrip()
        if code.strip():
            fence = "~~~" if "```" in code else "```"
            self.blocks.append(Block(f"{fence}\n{code}\n{fence}", BlockKind.CODE))

    def _table(self, tag: Tag) -> None:
        rows = [row for row in tag.find_all("tr") if row.find_parent("table") is tag]
        for caption in tag.find_all("caption"):
            if caption.find_parent("table") is tag and (text := squeeze(caption.get_text())):
                self.blocks.append(Block(text))
        widest = max((sum(1 for _ in _cells(row)) for row in rows), default=0)
        if tag.get("role") == "presentation" or widest <= 1:
            # Only there to place things on the page.
            for row in rows or [tag]:
                self.walk(row)
                self.flush()
        elif table := markdown_table(_grid(rows)):
            self.blocks.append(Block(table, BlockKind.TABLE))


def _cells(row: Tag) -> Iterator[Tag]:
    yield from row.find_all(["td", "th"], recursive=False)


def _grid(rows: list[Tag]) -> list[list[str]]:
    """Return the text of the cells: those over several columns once, those over several rows in each."""
    grid: list[list[str]] = []
    below: dict[int, tuple[int, str]] = {}
    for row in rows:
        line: list[str] = []
        for cell in _cells(row):
            _fill(line, below)
            text, wide, high = one_line(blocks_of(cell)), _span(cell, "colspan"), _span(cell, "rowspan")
            if high > 1:
                below[len(line)] = (high, text)
                below.update({len(line) + at: (high, "") for at in range(1, wide)})
            line += [text, *[""] * (wide - 1)]
        _fill(line, below)
        below = {at: (left - 1, text) for at, (left, text) in below.items() if left > 1}
        grid.append(line)
    return grid


def _fill(line: list[str], below: dict[int, tuple[int, str]]) -> None:
    """Take over from the row above the cells that reach down into this place."""
    while len(line) in below:
        line.append(below[len(line)][1])


def _span(cell: Tag, name: str) -> int:
    value = str(cell.get(name, "1")).strip()
    return max(1, min(int(value), 64)) if value.isascii() and value.isdigit() and len(value) < 7 else 1
