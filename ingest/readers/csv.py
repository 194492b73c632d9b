"""CSV and TSV: one table, with the separator found from the content and the encoding reported."""

from __future__ import annotations

import csv
import io
from collections import Counter

from ingest.blocks import NO_OPTIONS, Outcome, ReadError, ReadOptions, ReadResult
from ingest.decode import decode_text, is_binary
from ingest.readers.damage import damaged
from ingest.readers.tables import sheet_blocks

_SEPARATORS = ",\t;|"
_LONGEST_CELL = 16 * 2**20
_END = "\x01"
_SAMPLE_ROWS = 200
_SAMPLE = 256 * 2**10


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read a file of separated values. The first row with several cells is the header.

    Raises:
        ReadError: UNSUPPORTED for a binary file, EMPTY for one without text, FAILED when it is no table
            that can be read.
    """
    decoded = decode_text(data)
    if is_binary(decoded.text):
        raise ReadError(Outcome.UNSUPPORTED, "a binary file, not CSV")
    text, told = _told_separator(decoded.text)
    warnings = decoded.warnings
    csv.field_size_limit(_LONGEST_CELL)
    with damaged("CSV"):
        separator = told or find_separator(text)
        rows, closed = _rows(text, separator)
        if not closed:
            warnings.append("a quotation mark is opened and never closed: the marks were read as text")
    blocks = list(sheet_blocks(rows))
    if not blocks:
        raise ReadError(Outcome.EMPTY, "no text in the file")
    return ReadResult(blocks, "csv", encoding=decoded.encoding, warnings=warnings)


def find_separator(text: str) -> str:
    """Return the separator of a text: the one that cuts most rows into the same number of cells.

    The comma when none does, as in a file of one column.
    """
    sample = text[:_SAMPLE]
    best, best_score = ",", 0.0
    for separator in _SEPARATORS:
        if separator not in sample:
            continue
        try:
            rows = _first_rows(sample, separator)
        except csv.Error:
            continue
        if len(rows) > 1 and len(sample) < len(text):
            rows.pop()  # cut off
        counts = Counter(len(row) for row in rows if len(row) > 1)
        if not counts:
            continue
        cells, same = max(counts.items(), key=lambda item: (item[1], item[0]))
        # Even rows say most; of two separators that cut evenly, the one with more cells.
        score = same / len(rows) + 0.01 * min(cells, 20)
        if score > best_score:
            best, best_score = separator, score
    return best


def _first_rows(text: str, separator: str) -> list[list[str]]:
    rows: list[list[str]] = []
    for row in csv.reader(io.StringIO(text), delimiter=separator):
        if row:
            rows.append(row)
        if len(rows) >= _SAMPLE_ROWS:
            break
    return rows


def _told_separator(text: str) -> tuple[str, str]:
    """Take off the first line `sep=;`, by which files tell spreadsheet programs their separator."""
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep=") and len(first.strip()) == 5:
        return rest, first[4]
    return text, ""


def _rows(text: str, separator: str) -> tuple[list[list[str]], bool]:
    """Return the rows, and whether all quotation marks are closed; if not they are read as text."""
    # An open quotation swallows all that follows, the mark too.
    source = io.StringIO(text.removesuffix("\n") + "\n" + _END, newline="")
    rows = list(csv.reader(source, delimiter=separator))
    if rows[-1] == [_END]:
        return rows[:-1], True
    source = io.StringIO(text, newline="")
    return list(csv.reader(source, delimiter=separator, quoting=csv.QUOTE_NONE)), False
