"""Plain text that stands inside something else: the body of a letter, a field of a record."""

from __future__ import annotations

from dataclasses import replace

from ingest.blocks import Block, BlockKind
from ingest.readers.text import text_blocks


def body_blocks(text: str, below: int) -> list[Block]:
    """Return the blocks of a text that has a heading already.

    Its first line is no title, as a greeting would else be; headings in it stand below level `below`.
    """
    blocks = text_blocks(text)
    if blocks and blocks[0].kind is BlockKind.HEADING and blocks[0].level == 1:
        blocks[0] = replace(blocks[0], kind=BlockKind.PARAGRAPH, level=0)
    return [
        replace(block, level=min(6, block.level + below)) if block.kind is BlockKind.HEADING else block
        for block in blocks
    ]
