"""The rows of one worksheet, streamed: only cells that are there cost anything, whatever size a sheet declares."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from ingest.readers.xlsx_format import shown_moment, shown_number
from ingest.readers.xml import child, descendants, local_name, stream_xml

_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_MOST_MERGED = 10_000
"""Cells that one merged area fills with its value; a merged column of a million rows is decoration."""


@dataclass(slots=True)
class Row:
    """A row that holds anything: its 1-based number and its texts by 0-based column."""

    number: int
    cells: dict[int, str]


@dataclass(slots=True)
class Sheet:
    """What a worksheet holds: its rows, and the cells with formulas whose value was never stored."""

    rows: list[Row] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def read_sheet(
    source: IO[bytes], strings: list[str], format_of: Callable[[int], str], *, since_1904: bool = False
) -> Sheet:
    """Read the XML of a worksheet.

    Args:
        source: the part, unpacked.
        strings: the workbook's shared strings.
        format_of: the number format's code of a cell style.
        since_1904: how the workbook counts days.
    """
    sheet = Sheet()
    merged: list[tuple[int, int, int, int]] = []
    number = 0
    for element in stream_xml(source, ("row", "mergeCell")):
        if local_name(element) == "mergeCell":
            if area := _area(element.get("ref") or ""):
                merged.append(area)
            continue
        given = element.get("r") or ""
        number = int(given) if given.isdigit() and len(given) <= 7 else number + 1
        cells: dict[int, str] = {}
        column = -1
        for cell in element:
            if local_name(cell) != "c":
                continue
            place = _place(cell.get("r") or "")
            column = place[1] if place else column + 1
            text = _text(cell, strings, format_of, since_1904=since_1904)
            if text is None:
                sheet.unknown.append(cell.get("r") or f"row {number}")
            elif text.strip():
                cells[column] = text
        if cells:
            sheet.rows.append(Row(number, cells))
        element.clear()
        # The rows before it hang on in the tree as empty elements.
        while element.getprevious() is not None:
            del element.getparent()[0]
    _fill_merged(sheet, merged)
    return sheet


def read_strings(source: IO[bytes]) -> list[str]:
    """Read the shared strings of a workbook, without the readings of furigana."""
    strings: list[str] = []
    for element in stream_xml(source, ("si",)):
        strings.append(_rich_text(element))
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    return strings


def _rich_text(element: Any) -> str:
    pieces = [text.text or "" for text in descendants(element, "t") if local_name(text.getparent()) != "rPh"]
    return _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), "".join(pieces))


def _text(cell: Any, strings: list[str], format_of: Callable[[int], str], *, since_1904: bool) -> str | None:
    """Return what a cell shows; None for a formula without a stored value."""
    kind = cell.get("t") or "n"
    if kind == "inlineStr":
        return _rich_text(cell)
    found = child(cell, "v")
    value = "" if found is None else found.text or ""
    if not value:
        missing = child(cell, "f") is not None and (found is None or kind != "str")
        return None if missing else ""
    if kind == "s":
        return strings[int(value)] if value.isdigit() and int(value) < len(strings) else ""
    if kind == "b":
        return "TRUE" if value == "1" else "FALSE"
    if kind == "d":
        return _iso(value)
    if kind == "n":
        style = cell.get("s") or "0"
        return shown_number(value, format_of(int(style) if style.isdigit() else 0), since_1904=since_1904)
    return _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), value)


def _iso(value: str) -> str:
    from openpyxl.utils.datetime import from_ISO8601

    try:
        return shown_moment(from_ISO8601(value)) or value
    except ValueError:
        return value


def _fill_merged(sheet: Sheet, merged: list[tuple[int, int, int, int]]) -> None:
    """Repeat the value of a merged area in the rows below, so that each row can be read by itself."""
    rows = {row.number: row for row in sheet.rows}
    for top, left, bottom, _right in merged:
        value = rows[top].cells.get(left) if top in rows else None
        if value is None or bottom == top or bottom - top > _MOST_MERGED:
            continue
        for number in range(top + 1, bottom + 1):
            if number in rows:
                rows[number].cells.setdefault(left, value)


def _place(reference: str) -> tuple[int, int] | None:
    """Return the 1-based row and the 0-based column of "B3"."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return None
    column = 0
    for letter in match.group(1):
        column = column * 26 + ord(letter) - 64
    return int(match.group(2)), column - 1


def _area(reference: str) -> tuple[int, int, int, int] | None:
    first, _, last = reference.partition(":")
    start, end = _place(first), _place(last)
    return (*start, *end) if start and end else None


def tables(rows: list[Row]) -> Iterator[list[Row]]:
    """Yield the runs of rows without an empty row between them."""
    run: list[Row] = []
    for row in rows:
        if run and row.number > run[-1].number + 1:
            yield run
            run = []
        run.append(row)
    if run:
        yield run
