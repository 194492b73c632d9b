"""A PDF page as lines: pieces on one base line put together, columns one after the other, tables as rows."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from ingest.lines import is_cjk, width
from ingest.readers.pdf_lines import Fragment, Line, clean, is_right_to_left
from ingest.readers.pdf_tables import Run, find_tables, is_mark

# A column of prose is at least this wide, in characters; narrower ones are cells of a table.
_PROSE = 18
_LEADERS = re.compile(r"\s*(?:[.…・‥][ ]?){4,}")


def page_lines(fragments: Sequence[Fragment], page: int) -> list[Line]:
    """Return the lines of a page in reading order. A line of a table has its cells."""
    rows = _rows(_single_lines(fragments))
    gutter = _gutter(rows)
    if gutter is not None:
        rows = _columns_apart(rows, gutter)
    runs = [run for number, row in enumerate(rows) for run in _runs(row, number)]
    lines: list[Line] = []
    at = 0
    for table in find_tables(runs):
        lines += _plain_lines(runs[at : table.start], page)
        for row in table.rows:
            text = "  ".join(cell for cell in row.cells if cell)
            lines.append(Line(text, row.x, row.y, row.size, row.strong, page, row.cells))
        at = table.stop
    return lines + _plain_lines(runs[at:], page)


def _plain_lines(runs: Sequence[Run], page: int) -> list[Line]:
    rows: dict[int, list[Run]] = {}
    for run in runs:
        rows.setdefault(run.row, []).append(run)
    lines = []
    for row in rows.values():
        cells = tuple(run.text for run in row)
        size = max(row, key=lambda run: len(run.text)).size
        strong = all(run.strong for run in row)
        if len(cells) == 2 and is_mark(cells[0]):
            cells = (" ".join(cells),)
        text = "  ".join(cells)
        lines.append(Line(text, row[0].x, row[0].y, size, strong, page, cells if len(cells) > 1 else ()))
    return lines


def _single_lines(fragments: Iterable[Fragment]) -> list[Fragment]:
    single: list[Fragment] = []
    for fragment in fragments:
        parts = clean(fragment.text).split("\n")
        for index, part in enumerate(parts):
            if part.strip():
                y = fragment.y - 1.2 * fragment.size * index
                ends = index < len(parts) - 1
                single.append(
                    Fragment(part, fragment.x, y, fragment.size, fragment.strong, ends, fragment.extent)
                )
    return single


def _rows(fragments: Iterable[Fragment]) -> list[list[Fragment]]:
    """Group pieces that follow each other on one base line, in the order they stand there.

    A row of a table may be drawn from its last cell to its first; what is written from right to left is not
    turned round.
    """
    rows: list[list[Fragment]] = []
    for fragment in fragments:
        if rows:
            row = rows[-1]
            last = row[-1]
            if abs(last.y - fragment.y) < 0.5 * max(last.size, fragment.size) and fragment.x >= last.x:
                row.append(fragment)
                continue
            place = _place_before(row, fragment)
            if place is not None:
                row.insert(place, fragment)
                continue
        rows.append([fragment])
    # A line that was drawn twice to look bold.
    return [row for index, row in enumerate(rows) if not index or not _same(rows[index - 1], row)]


def _place_before(row: Sequence[Fragment], fragment: Fragment) -> int | None:
    """Return where in a row a piece stands that was drawn after pieces on its right, else None."""
    if any(abs(piece.y - fragment.y) > 0.25 * fragment.size for piece in row):
        return None
    place = next(index for index, piece in enumerate(row) if piece.x > fragment.x)
    free = fragment.x + 0.9 * fragment.length <= row[place].x
    after = not place or row[place - 1].x + 0.9 * row[place - 1].length <= fragment.x
    if not (free and after) or is_right_to_left(fragment.text) or is_right_to_left(row[place].text):
        return None
    return place


def _same(before: Sequence[Fragment], row: Sequence[Fragment]) -> bool:
    near = abs(before[0].x - row[0].x) + abs(before[0].y - row[0].y) < 0.2 * row[0].size
    return near and [piece.text.strip() for piece in before] == [piece.text.strip() for piece in row]


def _gutter(rows: Sequence[Sequence[Fragment]]) -> float | None:
    """Return where a second column begins when rows run across both columns, else None."""
    starts = Counter(round(piece.x) for row in rows for piece in row[1:])
    if not starts:
        return None
    start, count = max(starts.items(), key=lambda item: item[1])
    if count < max(5, 0.3 * len(rows)):
        return None
    left, right = [], []
    cells = 0
    for row in rows:
        first = [piece for piece in row if piece.x < start - 1]
        second = [piece for piece in row if piece.x >= start - 1]
        if first and second:
            cells += len(_runs(first, 0)) > 1 or len(_runs(second, 0)) > 1
            left.append(width(" ".join(piece.text.strip() for piece in first)))
            right.append(width(" ".join(piece.text.strip() for piece in second)))
    if not left or statistics.median(left) < _PROSE or statistics.median(right) < _PROSE:
        return None
    # Wide gaps within the halves: rows of a table.
    if cells > 0.4 * len(left):
        return None
    return start - 1.0


def _columns_apart(rows: Sequence[list[Fragment]], gutter: float) -> list[list[Fragment]]:
    ordered: list[list[Fragment]] = []
    left: list[list[Fragment]] = []
    right: list[list[Fragment]] = []
    for row in rows:
        first = [piece for piece in row if piece.x < gutter]
        second = [piece for piece in row if piece.x >= gutter]
        if not second and first[-1].x + first[-1].length > gutter + 4 * first[-1].size:
            # A line across the page ends what stands above it.
            ordered += [*left, *right, row]
            left, right = [], []
            continue
        if first:
            left.append(first)
        if second:
            right.append(second)
    return [*ordered, *left, *right]


def _runs(row: Sequence[Fragment], number: int) -> list[Run]:
    """Cut a row at its wide gaps and put the pieces between them together."""
    groups: list[tuple[str, list[Fragment]]] = [(row[0].text, [row[0]])]
    right = row[0].x + row[0].length
    for previous, piece in pairwise(row):
        text, pieces = groups[-1]
        gap = piece.x - right
        right = piece.x + piece.length
        if piece.x - previous.x < 0.5:
            # Drawn on from where the pen was: pypdf repeats the place of the piece before.
            right = piece.x - gap + piece.length
            groups[-1] = (text + piece.text, [*pieces, piece])
        elif gap > (0.8 if previous.ends_line else 1.6) * piece.size:
            groups.append((piece.text, [piece]))
        else:
            # Within a line pypdf sets the spaces itself, from the true widths.
            wide = is_cjk(previous.text[-1]) or is_cjk(piece.text[0])
            space = " " if previous.ends_line and gap > 0.3 * piece.size and not wide else ""
            groups[-1] = (text + space + piece.text, [*pieces, piece])
    return [_run(text, pieces, number) for text, pieces in groups if text.strip()]


def _run(text: str, pieces: Sequence[Fragment], number: int) -> Run:
    sizes: Counter[float] = Counter()
    for piece in pieces:
        sizes[piece.size] += len(piece.text)
    squeezed = _LEADERS.sub(" ... ", " ".join(text.split()))
    strong = all(piece.strong for piece in pieces)
    return Run(squeezed, pieces[0].x, pieces[0].y, sizes.most_common(1)[0][0], strong, number)
