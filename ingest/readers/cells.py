"""What stands inside a cell of a table, as one line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingest.blocks import Block, BlockKind

_RULE = re.compile(r"\|(?: --- \|)+")


def one_line(blocks: Sequence[Block]) -> str:
    """Return the blocks of a cell as one line, in order; of a table inside it only the words are left."""
    return " ".join(" ".join(_words(block).split()) for block in blocks if block.text.strip())


def _words(block: Block) -> str:
    if block.kind is not BlockKind.TABLE:
        return block.text
    rows = [row for row in block.text.split("\n") if not _RULE.fullmatch(row)]
    return " ".join(re.sub(r"^\| | \|$|\|", " ", row) for row in rows)
