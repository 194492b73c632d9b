"""Tables as Markdown rows, the form in which all readers give them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingest.blocks import Block, BlockKind


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as a Markdown table; the first row is the header.

    Rows without any text are left out, short rows are filled up, and what would break a row (line ends,
    bars) is replaced. Returns "" when there is no text at all.
    """
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    if not filled:
        return ""
    columns = max(len(row) for row in filled)
    if columns == 1:
        return "\n".join(_cell(row[0]) for row in filled)
    # Straight from cells to lines: of a table of a million cells each copy counts.
    lines = [_line(row, columns) for row in filled]
    lines.insert(1, "|" + " --- |" * columns)
    return "\n".join(lines)


def sheet_blocks(rows: Sequence[Sequence[str]]) -> Iterator[Block]:
    """Yield the blocks of cells that belong together, as in a spreadsheet or a CSV file.

    Columns without any text are left out. Rows with one cell above the header are the table's title, not
    its header, and become paragraphs; so do cells that stand one in a row all through.
    """
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    if not any(_count(row) > 1 for row in filled):
        if filled:
            yield Block("\n".join(next(cell.strip() for cell in row if cell.strip()) for row in filled))
        return
    head = next(index for index, row in enumerate(filled) if _count(row) > 1)
    for row in filled[:head]:
        yield Block(next(cell.strip() for cell in row if cell.strip()))
    yield Block(markdown_table(_without_empty_columns(filled[head:])), BlockKind.TABLE)


def _count(row: Sequence[str]) -> int:
    return sum(1 for cell in row if cell.strip())


def _without_empty_columns(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    used = sorted({column for row in rows for column, cell in enumerate(row) if cell.strip()})
    return [[row[column] if column < len(row) else "" for column in used] for row in rows]


def _line(row: Sequence[str], columns: int) -> str:
    cells = [_cell(cell) for cell in row]
    cells += [""] * (columns - len(cells))
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "¦")
