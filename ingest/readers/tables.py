"""Tables as Markdown rows, the form in which all readers give them."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as a Markdown table; the first row is the header.

    Rows without any text are left out, short rows are filled up, and what would break a row (line ends,
    bars) is replaced. Returns "" when there is no text at all.
    """
    cleaned = [[_cell(cell) for cell in row] for row in rows]
    filled = [row for row in cleaned if any(row)]
    if not filled:
        return ""
    columns = max(len(row) for row in filled)
    full = [[*row, *[""] * (columns - len(row))] for row in filled]
    if columns == 1:
        return "\n".join(row[0] for row in full)
    lines = ["| " + " | ".join(row) + " |" for row in full]
    lines.insert(1, "|" + " --- |" * columns)
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "¦")
