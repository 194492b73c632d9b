"""The smallest pieces that a chunk is made of: headings, sentences, rows of tables, blocks of code."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ingest.assemble import Assembled
from ingest.blocks import BlockKind
from ingest.context import CountTokens
from ingest.graphemes import LONGEST, boundary_near, is_boundary
from ingest.sentences import split_sentences
from retrieval.records import page_at

_TABLE_RULE = re.compile(r"\s*\|?(?:\s*:?-{3,}:?\s*[|+])+(?:\s*:?-{3,}:?)?\s*")
_CELL_GAP = re.compile(r"[|\t]|\S(?: {3,}|　{2,})\S")
_BREAKS = "、，,;；:：）)」』】 　\t\n/・"


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of the text that is not cut if it can be helped.

    `block` is the index of its block (the first one, where page breaks cut a paragraph). A `sticky` unit
    must not end a chunk: a heading, or the header of a table. `header` is the header of its table.
    `partial` is less than a sentence, a row or a line.
    """

    start: int
    end: int
    tokens: int
    block: int
    kind: BlockKind
    page: int | None
    sticky: bool = False
    header: str = ""
    partial: bool = False


def make_units(assembled: Assembled, count_tokens: CountTokens) -> list[Unit]:
    """Cut a document into units and count their tokens, in one call of the counter."""
    units = [
        replace(unit, page=page_at(assembled.page_starts, unit.start))
        for first, last in _runs(assembled)
        for unit in _block_units(assembled, first, last)
    ]
    return counted(assembled.text, units, count_tokens)


def refine(
    text: str, units: Sequence[Unit], limits: Sequence[int], count_tokens: CountTokens
) -> list[list[Unit]]:
    """Cut each unit that is longer than its limit in tokens, first into finer units, then anywhere.

    Returns the parts of each unit, in order.
    """
    parts = [[unit] for unit in units]
    while True:
        long = [
            (i, j)
            for i, row in enumerate(parts)
            for j, unit in enumerate(row)
            if unit.tokens > limits[i] and unit.end - unit.start > 1
        ]
        if not long:
            return parts
        finer = [list(_finer(text, parts[i][j], limits[i])) for i, j in long]
        sized = iter(counted(text, [unit for group in finer for unit in group], count_tokens))
        for (i, j), group in reversed(
            [(at, [next(sized) for _ in group]) for at, group in zip(long, finer, strict=True)]
        ):
            parts[i][j : j + 1] = group


def halves(text: str, unit: Unit, count_tokens: CountTokens) -> list[Unit]:
    """Cut one unit in two near its middle."""
    spans = cut_evenly(text, unit.start, unit.end, (unit.end - unit.start + 1) // 2)
    return counted(text, [replace(unit, start=start, end=end) for start, end in spans], count_tokens)


def _runs(assembled: Assembled) -> Iterator[tuple[int, int]]:
    """Yield (first, last) indices of blocks that are one: those that continue go with the one before."""
    first = 0
    for index in range(1, len(assembled.blocks) + 1):
        if index == len(assembled.blocks) or not assembled.blocks[index].continues:
            yield first, index - 1
            first = index


def _block_units(assembled: Assembled, first: int, last: int) -> Iterator[Unit]:
    if not assembled.blocks:
        return
    block = assembled.blocks[first]
    start, end = assembled.spans[first][0], assembled.spans[last][1]
    base = Unit(start, end, 0, first, block.kind, block.page)
    if block.kind is BlockKind.HEADING:
        yield replace(base, sticky=True)
    elif block.kind is BlockKind.TABLE:
        yield from _rows(assembled.text, base)
    elif block.kind is BlockKind.PARAGRAPH:
        yield from _sentences(assembled.text, base)
    else:
        yield base


def _rows(text: str, base: Unit) -> Iterator[Unit]:
    spans = _lines(text, base)
    heads = _header_lines([text[slice(*span)] for span in spans])
    header = text[slice(*spans[0])].strip() if heads else ""
    for number, (start, end) in enumerate(spans):
        # A table of a header alone has nothing for it to stick to.
        sticky = number < heads < len(spans)
        yield replace(base, start=start, end=end, sticky=sticky, header="" if number < heads else header)


def _header_lines(lines: Sequence[str]) -> int:
    """Return how many lines head a table: a row and the rule below it, a row of words above figures, none.

    All tables with borders have a rule; those that were set with spaces or tabs only do not.
    """
    if len(lines) > 1 and _TABLE_RULE.fullmatch(lines[1]):
        return 2
    if len(lines) < 4 or any(char.isdigit() for char in lines[0]) or not _CELL_GAP.search(lines[0].strip()):
        return 0
    figures = sum(any(char.isdigit() for char in line) for line in lines[1:])
    return 1 if 4 * figures >= 3 * (len(lines) - 1) else 0


def _lines(text: str, base: Unit) -> list[tuple[int, int]]:
    spans = []
    at = base.start
    for line in text[base.start : base.end].split("\n"):
        if line.strip():
            spans.append((at, at + len(line.rstrip())))
        at += len(line) + 1
    return spans


def _sentences(text: str, base: Unit) -> Iterator[Unit]:
    for start, end in split_sentences(text[base.start : base.end]):
        yield replace(base, start=base.start + start, end=base.start + end)


def _finer(text: str, unit: Unit, limit: int) -> Iterator[Unit]:
    finer: list[Unit] = []
    if unit.kind is BlockKind.CODE:
        finer = [replace(unit, start=start, end=end) for start, end in _lines(text, unit)]
    elif unit.kind is BlockKind.LIST_ITEM:
        finer = list(_sentences(text, unit))
    if len(finer) > 1:
        yield from finer
        return
    pieces = math.ceil(unit.tokens / max(1, limit))
    size = max(1, math.ceil(0.95 * (unit.end - unit.start) / max(2, pieces)))
    for start, end in cut_evenly(text, unit.start, unit.end, size):
        yield replace(unit, start=start, end=end, partial=True)


def cut_evenly(text: str, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut a span into pieces of about `size` characters, after a comma or a space where there is one.

    A letter with its marks, or an emoji of several characters, is cut only when it is all there is.
    """
    first = start
    while start < end:
        stop = min(end, start + size)
        if stop < end:
            for at in range(stop, start + size // 2, -1):
                if text[at - 1] in _BREAKS and is_boundary(text, at):
                    stop = at
                    break
            else:
                stop = boundary_near(text, stop, start, end)
                if start > first and end - start <= LONGEST and not is_boundary(text, stop):
                    stop = end
        piece = text[start:stop]
        lead = len(piece) - len(piece.lstrip())
        if piece.strip():
            yield start + lead, start + len(piece.rstrip())
        start = stop


def counted(text: str, units: Sequence[Unit], count_tokens: CountTokens) -> list[Unit]:
    """Return the units with their tokens, in one call of the counter."""
    if not units:
        return []
    counts = count_tokens([text[unit.start : unit.end] for unit in units])
    return [replace(unit, tokens=tokens) for unit, tokens in zip(units, counts, strict=True)]
