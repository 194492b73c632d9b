"""RTF: paragraphs, headings by style or outline, lists, tables, footnotes and what the file says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.blocks import NO_OPTIONS, Block, BlockKind, Outcome, ReadError, ReadOptions, ReadResult
from ingest.readers.damage import damaged
from ingest.readers.meta import key_words
from ingest.readers.ooxml import split_names
from ingest.readers.rtf_text import Piece, RtfText
from ingest.readers.tables import markdown_table

_HEADING_NAME = re.compile(r"(?:heading|見出し|überschrift|titre)\s*(\d)", re.IGNORECASE)
_BODY_LEVEL = 9


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read an RTF file. Pictures, embedded objects, running heads and deleted text are left out.

    Raises:
        ReadError: FAILED for a damaged file, EMPTY for one without text.
    """
    with damaged("RTF"):
        walker = RtfText(data)
        blocks = [block for block in _blocks(walker) if block.text.strip()]
    if not blocks:
        raise ReadError(Outcome.EMPTY, "no text in the file")
    info = walker.info
    return ReadResult(
        blocks,
        "rtf",
        title=info.get("title"),
        encoding=walker.encoding,
        created=info.get("creatim"),
        modified=info.get("revtim"),
        authors=split_names(info.get("author", "")),
        tags={"keywords": words} if (words := key_words(info.get("keywords", ""))) else {},
        warnings=_lost(blocks),
    )


def _lost(blocks: list[Block]) -> list[str]:
    lost = sum(block.text.count("\ufffd") for block in blocks)
    return [f"{lost} characters are damaged and stand as \ufffd"] if lost else []


def _blocks(walker: RtfText) -> Iterator[Block]:
    rows: list[list[str]] = []
    cells: list[str] = []
    cell: list[str] = []
    notes: list[Block] = []
    for piece in walker.pieces():
        text = piece.text.replace("\x00", "").strip()
        if piece.note:
            if text:
                notes.append(Block(text))
        elif piece.end in ("cell", "nestcell"):
            cells.append("\n".join([*cell, text]))
            cell = []
        elif piece.end in ("row", "nestrow"):
            if text:
                cells.append(text)
            rows.append(cells)
            cells, cell = [], []
        elif piece.in_table and piece.end == "par":
            cell.append(text)
        else:
            yield from _table(rows, cells, cell)
            rows, cells, cell = [], [], []
            yield _paragraph(piece, text, walker.styles)
    yield from _table(rows, cells, cell)
    yield from notes


def _table(rows: list[list[str]], cells: list[str], cell: list[str]) -> Iterator[Block]:
    """Yield the table gathered so far; what is left of a row that was never ended is its last one."""
    rest = [*cells, *(["\n".join(cell)] if any(cell) else [])]
    every = [*rows, rest] if rest else rows
    if every and (table := markdown_table(every)):
        yield Block(table, BlockKind.TABLE if "\n" in table or "|" in table else BlockKind.PARAGRAPH)


def _paragraph(piece: Piece, text: str, styles: dict[int, str]) -> Block:
    level = 0
    if match := _HEADING_NAME.match(styles.get(piece.style, "")):
        level = int(match.group(1))
    elif styles.get(piece.style, "").lower() in ("title", "表題"):
        level = 1
    elif piece.outline is not None and piece.outline < _BODY_LEVEL:
        level = piece.outline + 1
    if level and len(text) <= 200:
        return Block(" ".join(text.split()), BlockKind.HEADING, level=min(max(level, 1), 6))
    if piece.listed and text:
        return Block(f"- {text}", BlockKind.LIST_ITEM)
    return Block(text)
