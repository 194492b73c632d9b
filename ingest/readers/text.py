"""Plain text: paragraphs by blank lines, wrapped lines joined, underlined and numbered headings."""

from __future__ import annotations

import re

from ingest.blocks import NO_OPTIONS, Block, BlockKind, Outcome, ReadError, ReadOptions, ReadResult
from ingest.decode import decode_text, is_binary
from ingest.lines import (
    LIST_MARK,
    TERMINATORS,
    heading_level,
    hyphenated_words,
    is_table_row,
    is_wrapped,
    join_lines,
    width,
)

_UNDERLINE = re.compile(r"\s*(?P<mark>[=\-~*＝―─━])(?P=mark){2,}\s*")


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read a plain text file.

    Raises:
        ReadError: UNSUPPORTED for a binary file, EMPTY for one with nothing but white space.
    """
    decoded = decode_text(data)
    if is_binary(decoded.text):
        raise ReadError(Outcome.UNSUPPORTED, "a binary file, not text")
    blocks = text_blocks(decoded.text)
    if not blocks:
        raise ReadError(Outcome.EMPTY, "no text in the file")
    first = blocks[0]
    title = first.text if first.kind is BlockKind.HEADING and first.level == 1 else None
    return ReadResult(blocks, "text", title=title, encoding=decoded.encoding, warnings=decoded.warnings)


def text_blocks(text: str) -> list[Block]:
    """Cut a plain text into blocks. A form feed counts as a blank line."""
    words = hyphenated_words(text)
    groups: list[list[str]] = [[]]
    for line in text.replace("\f", "\n\n").split("\n"):
        if line.strip():
            groups[-1].append(line.rstrip())
        elif groups[-1]:
            groups.append([])
    blocks: list[Block] = []
    for position, group in enumerate(group for group in groups if group):
        blocks.extend(_group_blocks(group, words, first=position == 0))
    return blocks


def _group_blocks(group: list[str], words: frozenset[str], *, first: bool) -> list[Block]:
    if len(group) >= 2 and _UNDERLINE.fullmatch(group[1]) and width(group[0].strip()) <= 70:
        mark = group[1].strip()[0]
        heading = Block(group[0].strip(), BlockKind.HEADING, level=1 if mark in "=＝━" else 2)
        return [heading, *(_group_blocks(group[2:], words, first=False) if group[2:] else [])]
    level = heading_level(group[0])
    if level and (len(group) == 1 or _heads(group)):
        rest = _group_blocks(group[1:], words, first=False) if group[1:] else []
        return [Block(group[0].strip(), BlockKind.HEADING, level=level), *rest]
    if (
        first
        and _is_title(group[0])
        and (len(group) == 1 or (len(group) < 4 and width(group[0].strip()) <= 40))
    ):
        rest = _group_blocks(group[1:], words, first=False) if group[1:] else []
        return [Block(group[0].strip(), BlockKind.HEADING, level=1), *rest]
    if len(group) >= 2 and all(is_table_row(line) for line in group):
        return [Block("\n".join(group), BlockKind.TABLE)]
    if any(LIST_MARK.match(line) for line in group):
        return _with_list(group, words)
    if is_wrapped(group) and not any(is_table_row(line) for line in group):
        return [Block(join_lines(group, words))]
    return [Block("\n".join(line.strip() for line in group))]


def _heads(group: list[str]) -> bool:
    """Tell whether a numbered line is the heading of the lines right below it, not the first of them."""
    marked = re.match(r"\s*(?:第|[0-9０-９]+[.．]|[A-Z][a-z]+ )", group[0]) is not None
    return marked and not is_wrapped(group) and not heading_level(group[-1])


def _is_title(line: str) -> bool:
    text = line.strip()
    return width(text) <= 70 and text[-1] not in TERMINATORS and not LIST_MARK.match(line)


def _with_list(group: list[str], words: frozenset[str]) -> list[Block]:
    """Cut a group of lines at its list marks; lines without one go on with the item before."""
    parts: list[tuple[BlockKind, list[str]]] = []
    for line in group:
        if LIST_MARK.match(line):
            parts.append((BlockKind.LIST_ITEM, [line]))
        elif parts and (
            parts[-1][0] is BlockKind.PARAGRAPH or line[:1].isspace() or is_wrapped([*parts[-1][1], line])
        ):
            parts[-1][1].append(line)
        else:
            parts.append((BlockKind.PARAGRAPH, [line]))
    blocks = []
    for kind, lines in parts:
        joined = kind is BlockKind.LIST_ITEM or is_wrapped(lines)
        text = join_lines(lines, words) if joined else "\n".join(line.strip() for line in lines)
        blocks.append(Block(text, kind))
    return blocks
