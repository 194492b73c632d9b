"""Lines of PDF pages to blocks: wrapped lines joined, headings, lists and tables told apart."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from ingest.blocks import Block, BlockKind
from ingest.lines import (
    LIST_MARK,
    TERMINATORS,
    heading_level,
    is_cjk,
    seam,
    width,
)
from ingest.readers.pdf_capitals import join_small_capitals
from ingest.readers.pdf_heads import without_running_heads
from ingest.readers.pdf_hyphens import DividedWords
from ingest.readers.pdf_lines import Line
from ingest.readers.tables import markdown_table

_ENDS = '。．.!?！？：:」』）)”"'
_FIGURE = re.compile(r"[-+(¥$€£]*\d(?:[\d,.:/]*\d)?[%)]?")


def pages_to_blocks(pages: Sequence[Sequence[Line]]) -> list[Block]:
    """Return the blocks of a document from the lines of each of its pages, in order."""
    body = _body_size(pages)
    pages = without_running_heads(pages, body)
    join_small_capitals(pages)
    words = DividedWords(pages)
    sizes = sorted(
        {_step(line.size) for lines in pages for line in lines if line.size > 1.14 * body}, reverse=True
    )
    layout = _Layout(body, sizes, words)
    blocks: list[Block] = []
    for lines in pages:
        added = layout.page_blocks(lines)
        if blocks and added:
            _carry_on(blocks, added, words.hyphenated)
        blocks += added
    return blocks


def _body_size(pages: Sequence[Sequence[Line]]) -> float:
    counts: Counter[float] = Counter()
    for lines in pages:
        for line in lines:
            counts[_step(line.size)] += len(line.text)
    return counts.most_common(1)[0][0] if counts else 10.0


def _step(size: float) -> float:
    return round(size * 2) / 2


def _carry_on(blocks: list[Block], added: list[Block], words: frozenset[str]) -> None:
    """Mark a paragraph that the page break cut in two, and make a word divided there whole."""
    before, first = blocks[-1], added[0]
    if before.kind not in (BlockKind.PARAGRAPH, BlockKind.LIST_ITEM) or first.kind is not BlockKind.PARAGRAPH:
        return
    last = before.text[-1]
    unfinished = last not in _ENDS and width(before.text) > 40
    goes_on = first.text[0].islower() or (is_cjk(first.text[0]) and is_cjk(last))
    if not (unfinished and goes_on):
        return
    cut, glue = seam(before.text, first.text, words)
    if glue == "" and last in "-‐\u00ad":
        rest = first.text.split(" ", 1)
        blocks[-1] = Block(before.text[: len(before.text) - cut] + rest[0], before.kind, page=before.page)
        if len(rest) == 1:
            del added[0]
            return
        first = Block(rest[1], page=first.page)
    added[0] = Block(first.text, first.kind, page=first.page, continues=True)


class _Layout:
    """What is typical of a document: the size of its text and of its headings."""

    def __init__(self, body: float, heading_sizes: Sequence[float], words: DividedWords) -> None:
        self._body = body
        self._levels = {size: min(rank + 1, 4) for rank, size in enumerate(heading_sizes)}
        self._words = words

    def page_blocks(self, lines: Sequence[Line]) -> list[Block]:
        if not lines:
            return []
        _close_gaps(lines)
        steps = [a.y - b.y for a, b in pairwise(lines) if 0 < a.y - b.y < 3 * a.size]
        leading = statistics.median(steps) if steps else 1.2 * self._body
        full = statistics.quantiles([width(line.text) for line in lines], n=10)[-1] if len(lines) > 1 else 0
        groups: list[list[Line]] = [[lines[0]]]
        for before, line in pairwise(lines):
            if self._breaks(before, line, leading, full, first=len(groups[-1]) == 1):
                groups.append([line])
            else:
                groups[-1].append(line)
        blocks: list[Block] = []
        for group in _join_tables(groups):
            blocks += self._group_blocks(group)
        return blocks

    def _breaks(self, before: Line, line: Line, leading: float, full: float, *, first: bool) -> bool:
        """Tell whether a new block begins with a line."""
        if bool(before.cells) != bool(line.cells):
            return True
        if before.cells:
            # Rows of one table have a cell, if an empty one, for each column.
            apart = before.y < line.y or before.y - line.y > 12 * leading
            return apart or (len(before.cells) != len(line.cells) and before.y - line.y > 3 * leading)
        down = before.y - line.y
        ended = before.text[-1] in _ENDS
        if down < 0 or down > 6 * leading:
            # The next column, or beyond a figure: the sentence goes on only if it shows.
            return (
                ended or self._may_be_heading(before) or not (line.text[0].islower() or is_cjk(line.text[0]))
            )
        if down > 1.45 * leading or abs(before.size - line.size) > 0.12 * max(before.size, line.size):
            return True
        if LIST_MARK.match(line.text) or (
            heading_level(line.text) and (ended or width(before.text) < 0.8 * full)
        ):
            return True
        plain = not before.strong and before.size <= 1.14 * self._body
        if first and self._may_be_heading(before) and not self._may_be_heading(line):
            # A number alone makes no heading of the first line of a paragraph or a footnote.
            if plain and width(before.text) > 0.7 * full:
                return False
            return before.text[-1] not in "-‐\u00ad"
        indent = line.x - before.x
        if ended and 0.8 * line.size < indent < 6 * line.size:
            return True
        return ended and width(before.text) < 0.75 * full

    def _may_be_heading(self, line: Line) -> bool:
        if width(line.text) > 90 or line.text[-1] in TERMINATORS or line.cells:
            return False
        return line.size > 1.14 * self._body or line.strong or heading_level(line.text) > 0

    def _group_blocks(self, group: Sequence[Line]) -> list[Block]:
        page = group[0].page
        if group[0].cells:
            rows = [line.cells for line in group]
            if len(rows) >= 2 and len({len(row) for row in rows}) == 1:
                return [Block(markdown_table(rows), BlockKind.TABLE, page=page)]
            return [Block("\n".join(line.text for line in group), BlockKind.TABLE, page=page)]
        text = self._words.joined([line.text for line in group])
        level = self._heading_level(group, text)
        if level:
            return [Block(text, BlockKind.HEADING, level=level, page=page)]
        if len(group) > 2 and _is_figures(group):
            return [Block(self._words.kept_apart([line.text for line in group]), BlockKind.TABLE, page=page)]
        if len(group) > 2 and not _is_prose(group):
            text = self._words.kept_apart([line.text for line in group])
        return [Block(text, BlockKind.LIST_ITEM if LIST_MARK.match(text) else BlockKind.PARAGRAPH, page=page)]

    def _heading_level(self, group: Sequence[Line], text: str) -> int:
        if len(group) > 2 or width(text) > 100 or text[-1] in TERMINATORS:
            return 0
        if sum(1 for char in text if char.isalpha()) < 2 or text[0].islower():
            return 0
        by_size = self._levels.get(_step(group[0].size), 0)
        by_number = heading_level(text) if len(group) == 1 else 0
        if by_size:
            return by_number or by_size
        if by_number:
            return by_number
        return min(6, len(self._levels) + 1) if all(line.strong for line in group) else 0


def _close_gaps(lines: Sequence[Line]) -> None:
    """Make a line with one wide gap a line of its paragraph when the next line goes on with it."""
    bare = Line("", 0.0, 0.0, 0.0, False, 0)
    for before, line, after in zip([bare, *lines], lines, [*lines[1:], bare], strict=False):
        goes_on = after.text[:1].islower() and line.text[-1] not in TERMINATORS
        if len(line.cells) == 2 and goes_on and not before.cells and not after.cells:
            line.text, line.cells = " ".join(line.cells), ()


def _join_tables(groups: Sequence[list[Line]]) -> list[list[Line]]:
    """Keep rows of a table together; one line with wide gaps is a line like any other."""
    joined: list[list[Line]] = []
    for group in groups:
        if len(group) == 1 and group[0].cells and len(group[0].cells) < 3:
            line = group[0]
            line.text, line.cells = " ".join(line.cells), ()
        joined.append(group)
    return joined


def _is_figures(group: Sequence[Line]) -> bool:
    """Tell whether lines are rows of a table whose gaps are lost: each with as many figures as the next."""
    counts = Counter(sum(1 for word in line.text.split() if _FIGURE.fullmatch(word)) for line in group)
    figures, lines = counts.most_common(1)[0]
    words = sum(len(line.text.split()) for line in group)
    # Prose full of doses has figures too, but more words around them.
    return figures >= 2 and lines >= 0.6 * len(group) and 5 * figures * len(group) >= words


def _is_prose(group: Sequence[Line]) -> bool:
    """Tell whether lines fill their column; addresses, forms and columns of figures do not."""
    widths = [width(line.text) for line in group]
    full = max(widths)
    return full >= 24 and sum(1 for one in widths[:-1] if one >= 0.6 * full) >= 0.6 * (len(widths) - 1)
