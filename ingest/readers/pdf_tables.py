"""Tables on a PDF page, found by where their cells stand.

A cell is a few lines at one place; the cells of a row stand beside each other, level at their top or, as
many programs set them, at their middle; the rows of a table share their columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.lines import join_lines, width

_MARK = re.compile(r"[•・●○■◆▪*–-]|\(?\d{1,3}[.)]?|[a-zA-Z][.)]|[①-⑳]|（.{1,2}）")
# Longer cells are columns of prose.
_CELL_LINES, _CELL_WIDTH = 8, 64


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of a line without a wide gap; `row` numbers the line it is part of."""

    text: str
    x: float
    y: float
    size: float
    strong: bool
    row: int


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table with a cell, maybe empty, for each column. `y` is its lowest line."""

    cells: tuple[str, ...]
    x: float
    y: float
    size: float
    strong: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table made of `runs[start:stop]`."""

    start: int
    stop: int
    rows: tuple[Row, ...]


@dataclass(slots=True)
class _Cell:
    runs: list[Run]
    start: int

    @property
    def x(self) -> float:
        return self.runs[0].x

    @property
    def top(self) -> float:
        return self.runs[0].y

    @property
    def middle(self) -> float:
        return (self.runs[0].y + self.runs[-1].y) / 2


def find_tables(runs: Sequence[Run]) -> Iterator[Table]:
    """Yield the tables among the runs of a page, in order."""
    rows = _beside(_cells(runs))
    at = 0
    while at < len(rows):
        size = 0
        columns: list[float] = []
        while at + size < len(rows):
            fitted = _fit(columns, rows[at + size])
            if fitted is None and _goes_on(columns, rows, at + size):
                fitted = columns
            if fitted is None:
                break
            columns = fitted
            size += 1
        found = rows[at : at + size]
        # Heads that stand over no single column are lines of their own.
        while len(found) > 2 and any(_column(columns, cell.x) is None for cell in found[0]):
            found, at, size = found[1:], at + 1, size - 1
        if _is_table(found, columns):
            last = found[-1][-1]
            yield Table(
                found[0][0].start, last.start + len(last.runs), tuple(_row(row, columns) for row in found)
            )
        at += max(1, size)


def is_mark(text: str) -> bool:
    """Tell whether a text is nothing but the bullet or the number of a list's item."""
    return _MARK.fullmatch(text) is not None


def _cells(runs: Sequence[Run]) -> list[_Cell]:
    """Put runs below each other that follow each other at one place together."""
    cells: list[_Cell] = []
    for index, run in enumerate(runs):
        if cells:
            last = cells[-1].runs[-1]
            below = 0 < last.y - run.y < 1.5 * run.size
            if (
                below
                and abs(last.x - run.x) < 1.5
                and abs(last.size - run.size) < 0.6
                and last.strong == run.strong
            ):
                cells[-1].runs.append(run)
                continue
        cells.append(_Cell([run], index))
    return cells


def _beside(cells: Sequence[_Cell]) -> list[list[_Cell]]:
    rows: list[list[_Cell]] = []
    for cell in cells:
        if rows:
            last = rows[-1][-1]
            size = cell.runs[0].size
            level = abs(cell.middle - last.middle) < 0.7 * size or abs(cell.top - last.top) < 0.4 * size
            if level and cell.x > last.x + 2 * size:
                rows[-1].append(cell)
                continue
        rows.append([cell])
    return rows


def _fit(columns: Sequence[float], row: Sequence[_Cell]) -> list[float] | None:
    """Return the columns of a table when a row goes on with it, else None.

    The first rows may have fewer cells than the table has columns: what is set below must then stand at
    the same places.
    """
    if len(row) < 2 or any(len(cell.runs) > _CELL_LINES for cell in row):
        return None
    if any(width(run.text) > _CELL_WIDTH for cell in row for run in cell.runs):
        return None
    places = [cell.x for cell in row]
    if not columns:
        return places
    more, fewer = (places, columns) if len(places) > len(columns) else (columns, places)
    taken = [_column(more, place) for place in fewer]
    if None in taken or len(set(taken)) < len(taken):
        return None
    return [*more]


def _goes_on(columns: list[float], rows: Sequence[Sequence[_Cell]], index: int) -> bool:
    """Tell whether a single cell within a wide table goes on with the cell above it on a line of its own."""
    if len(columns) < 3 or len(rows[index]) > 1 or index + 1 >= len(rows):
        return False
    cell, above = rows[index][0], rows[index - 1]
    near = 0 < min(run.y for each in above for run in each.runs) - cell.top < 2 * cell.runs[0].size
    below = any(abs(cell.x - each.x) < 1 for each in above[1:])
    return near and below and len(rows[index + 1]) > 2 and _fit(columns, rows[index + 1]) is not None


def _column(columns: Sequence[float], place: float) -> int | None:
    nearest = min(range(len(columns)), key=lambda index: abs(columns[index] - place))
    gaps = [abs(columns[nearest] - other) for index, other in enumerate(columns) if index != nearest]
    return nearest if abs(columns[nearest] - place) < 0.45 * min(gaps, default=0.0) else None


def _is_table(rows: Sequence[Sequence[_Cell]], columns: Sequence[float]) -> bool:
    if len(rows) < 2 or len(columns) < 2 or (len(rows) < 3 and len(columns) < 3):
        return False
    marks = sum(1 for row in rows if is_mark(row[0].runs[0].text))
    # Numbers or bullets and their text make a list, not a table.
    return len(columns) > 2 or marks < 0.6 * len(rows)


def _row(row: Sequence[_Cell], columns: Sequence[float]) -> Row:
    cells = [""] * len(columns)
    for cell in row:
        place = min(range(len(columns)), key=lambda index: abs(columns[index] - cell.x))
        text = join_lines(run.text for run in cell.runs)
        cells[place] = f"{cells[place]} {text}" if cells[place] else text
    lowest = min(run.y for cell in row for run in cell.runs)
    first = row[0].runs[0]
    strong = all(run.strong for cell in row for run in cell.runs)
    return Row(tuple(cells), first.x, lowest, first.size, strong)
