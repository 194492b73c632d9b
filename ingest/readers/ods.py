"""OpenDocument spreadsheets: each sheet a heading, its tables as Markdown rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingest.blocks import NO_OPTIONS, Block, BlockKind, Outcome, ReadError, ReadOptions, ReadResult
from ingest.readers.odf import open_odf, repeated
from ingest.readers.odf_body import Body
from ingest.readers.tables import sheet_blocks
from ingest.readers.xml import attribute, descendants, local_name

_MOST_REPEATED = 1024


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read an OpenDocument spreadsheet (.ods), hidden sheets included. No formula is computed.

    Raises:
        ReadError: ENCRYPTED for a file under a password, FAILED for a damaged one, EMPTY without text.
    """
    result = ReadResult([], "ods")
    filled = False
    with open_odf(data, "OpenDocument", result) as root:
        for sheet in descendants(root, "spreadsheet"):
            for table in sheet:
                if local_name(table) != "table":
                    continue
                found = [block for run in _tables(table) for block in sheet_blocks(run)]
                if found:
                    filled = True
                    name = " ".join((attribute(table, "name") or "").split())
                    result.blocks += [Block(name, BlockKind.HEADING, level=2), *found]
    if not filled:
        raise ReadError(Outcome.EMPTY, "no text in the spreadsheet")
    return result


def _tables(sheet: Any) -> Iterator[list[list[str]]]:
    """Yield the runs of rows without an empty row between them."""
    run: list[list[str]] = []
    for row in descendants(sheet, "table-row"):
        cells = _cells(row)
        if cells:
            run += [cells] * repeated(row, "number-rows-repeated", _MOST_REPEATED)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _cells(row: Any) -> list[str]:
    cells: list[str] = []
    empty = 0
    for cell in row:
        name = local_name(cell)
        if name not in ("table-cell", "covered-table-cell"):
            continue
        text = _text(cell)
        count = repeated(cell, "number-columns-repeated", _MOST_REPEATED)
        if text:
            # Empty cells cost nothing until something stands behind them.
            cells += [""] * empty + [text] * count
            empty = 0
        else:
            empty += count
    return cells


def _text(cell: Any) -> str:
    kind = attribute(cell, "value-type")
    if kind == "date":
        moment = attribute(cell, "date-value") or ""
        return moment.removesuffix("T00:00:00").replace("T", " ")
    return Body().cell(cell)
