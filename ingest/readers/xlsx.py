"""Excel workbooks: each sheet a heading, its tables as Markdown rows, its text boxes and comments."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from ingest.blocks import NO_OPTIONS, Block, BlockKind, Outcome, ReadError, ReadOptions, ReadResult
from ingest.readers.archive import BAD_ZIP, check_zip, member
from ingest.readers.damage import damaged, reason
from ingest.readers.ooxml import core_properties, main_part, relations
from ingest.readers.tables import sheet_blocks
from ingest.readers.xlsx_format import format_code
from ingest.readers.xlsx_sheet import Row, Sheet, read_sheet, read_strings, tables
from ingest.readers.xml import attribute, child, descendants, parse_xml

_SHEET_LEVEL = 2


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read an Excel workbook (.xlsx, .xlsm), hidden sheets included. No formula is computed.

    Raises:
        ReadError: FAILED for a damaged file, EMPTY for one without text.
    """
    check_zip(data)
    warnings: list[str] = []
    blocks: list[Block] = []
    with damaged("Excel"), zipfile.ZipFile(io.BytesIO(data)) as archive:
        for doubts, found in _Workbook(archive).sheets():
            blocks += found
            warnings += doubts
        result = ReadResult(blocks, "xlsx", warnings=warnings)
        core_properties(archive, result)
    if not any(block.kind is not BlockKind.HEADING for block in blocks):
        if warnings:
            lost = any("damaged" in warning or "missing" in warning for warning in warnings)
            raise ReadError(
                Outcome.FAILED if lost else Outcome.EMPTY, f"no text in the workbook: {warnings[0]}"
            )
        raise ReadError(Outcome.EMPTY, "no text in the workbook")
    return result


class _Workbook:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._part = main_part(archive, "xl/workbook.xml")
        self._root = parse_xml(archive.read(self._part))
        self._relations = relations(archive, self._part)
        properties = child(self._root, "workbookPr")
        said = "" if properties is None else properties.get("date1904") or ""
        self._since_1904 = said in ("1", "true")
        self._strings: list[str] = []
        for kind, target in self._relations.values():
            if kind == "sharedStrings" and target in archive.namelist():
                with archive.open(target) as source:
                    self._strings = read_strings(source)
        self._format_of = self._formats()

    def sheets(self) -> Iterator[tuple[list[str], list[Block]]]:
        """Yield the warnings and the blocks of each worksheet, in the order of the tabs."""
        listed = child(self._root, "sheets")
        for entry in [] if listed is None else listed:
            name = " ".join((entry.get("name") or "").split())
            kind, target = self._relations.get(attribute(entry, "id") or "", ("", ""))
            if kind != "worksheet":
                continue
            try:
                with self._archive.open(target) as source:
                    sheet = read_sheet(source, self._strings, self._format_of, since_1904=self._since_1904)
            except KeyError:
                yield [f"sheet {name} is missing in the file"], []
                continue
            except (SyntaxError, *BAD_ZIP) as error:  # the errors of lxml are of the first kind
                yield [f"sheet {name} is damaged and was not read: {reason(error)}"], []
                continue
            found = [block for run in tables(sheet.rows) for block in sheet_blocks(_texts(run))]
            found += self._beside(target)
            if found:
                found.insert(0, Block(name, BlockKind.HEADING, level=_SHEET_LEVEL))
            yield _unknown(name, sheet), found

    def _beside(self, target: str) -> Iterator[Block]:
        """Yield the texts of a sheet's text boxes and comments."""
        for kind, part in relations(self._archive, target).values():
            data = member(self._archive, part) if kind in ("drawing", "comments") else None
            if data is None:
                continue
            root = parse_xml(data)
            if kind == "drawing":
                for body in descendants(root, "txBody"):
                    lines = (
                        "".join(text.text or "" for text in descendants(line, "t")).strip()
                        for line in descendants(body, "p")
                    )
                    if text := "\n".join(line for line in lines if line):
                        yield Block(text)
            else:
                for comment in descendants(root, "comment"):
                    pieces = (
                        text.text or ""
                        for text in descendants(comment, "t")
                        if not text.getparent().tag.endswith("}rPh")
                    )
                    if text := "".join(pieces).strip():
                        yield Block(f"Comment on {comment.get('ref')}: {text}")

    def _formats(self) -> Callable[[int], str]:
        codes: dict[int, str] = {}
        numbers: list[int] = []
        for kind, target in self._relations.values():
            data = member(self._archive, target) if kind == "styles" else None
            if data is None:
                continue
            root = parse_xml(data)
            for entry in descendants(root, "numFmt"):
                codes[_number(entry, "numFmtId")] = entry.get("formatCode") or "General"
            styles = child(root, "cellXfs")
            numbers = [_number(style, "numFmtId") for style in ([] if styles is None else styles)]
        known = [format_code(number, codes) for number in numbers]
        return lambda style: known[style] if style < len(known) else "General"


def _number(element: Any, name: str) -> int:
    value = element.get(name) or "" if isinstance(element.tag, str) else ""
    return int(value) if value.isdigit() else 0


def _texts(run: list[Row]) -> list[list[str]]:
    """Return the cells of rows side by side. Columns that no row uses are left out."""
    used = sorted({column for row in run for column in row.cells})
    return [[row.cells.get(column, "") for column in used] for row in run]


def _unknown(name: str, sheet: Sheet) -> list[str]:
    if not sheet.unknown:
        return []
    count = len(sheet.unknown)
    places = ", ".join(sheet.unknown[:5]) + (", …" if count > 5 else "")
    cells = "1 formula has" if count == 1 else f"{count} formulas have"
    return [
        f"sheet {name}: {cells} no stored value ({places}): open the file in a spreadsheet program "
        "and save it"
    ]
