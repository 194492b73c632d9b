"""Blocks to the one text of a document, in which every span is counted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.blocks import Block, BlockKind
from ingest.lines import is_cjk


@dataclass(frozen=True, slots=True)
class Assembled:
    """A document's text. `text[start:end]` of `spans[i]` is the text of `blocks[i]`, exactly.

    `page_starts[i]` is where page `i + 1` begins; it never falls, has one entry a page (an empty page
    begins where the next one does) and is empty for formats without pages.
    """

    text: str
    blocks: tuple[Block, ...]
    spans: tuple[tuple[int, int], ...]
    page_starts: tuple[int, ...]


def assemble(blocks: Sequence[Block], pages: int | None = None) -> Assembled:
    """Join blocks into one text: items of a list by a line end, other blocks by an empty line.

    `pages` is the number of pages of the file; without it the last page of a block is taken. Blocks
    without any text are left out.
    """
    kept = [_tidy(block) for block in blocks if block.text.strip()]
    pieces: list[str] = []
    spans: list[tuple[int, int]] = []
    starts: list[int] = []
    length = 0
    for index, block in enumerate(kept):
        glue = _glue(kept[index - 1], block) if index else ""
        pieces.append(glue)
        length += len(glue)
        if block.page is not None:
            starts += [length] * (block.page - len(starts))
        spans.append((length, length + len(block.text)))
        pieces.append(block.text)
        length += len(block.text)
    count = pages if pages is not None else len(starts)
    # The first page begins at the first character, whatever comes before its first block.
    starts = [0, *starts[1:], *[length] * (count - len(starts))][:count] if count else []
    return Assembled("".join(pieces), tuple(kept), tuple(spans), tuple(starts))


def _tidy(block: Block) -> Block:
    text = block.text.strip("\n")
    if block.kind not in (BlockKind.CODE, BlockKind.LIST_ITEM):
        text = text.strip()
    text = re.sub(r"\n{3,}", "\n\n", text).rstrip()
    return Block(text, block.kind, block.level, block.page, block.continues)


def _glue(before: Block, block: Block) -> str:
    if block.continues:
        return "" if is_cjk(before.text[-1]) or is_cjk(block.text[0]) or before.text[-1] in "-‐" else " "
    if before.kind is BlockKind.LIST_ITEM and block.kind is BlockKind.LIST_ITEM:
        return "\n"
    return "\n\n"
