"""Read a folder as Tekio reads it, and say of each file how it went: `python -m evaluation.reading FOLDER`.

Files that `evaluation.reading_expected` knows are judged; of others the outcome and the figures are shown.
The command ends with 3 when a file is not read as it should be, with 2 when there is no such folder.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evaluation.reading_expected import EXPECTED, Expected
from evaluation.reading_measure import Likeness, fold, in_order, likeness
from ingest.assemble import assemble
from ingest.blocks import Outcome, ReadError, ReadOptions, ReadResult
from ingest.readers import read_file

_NO_TEXT = re.compile(
    r"<!--.*?-->|<(head|script|style)\b.*?</\1>|<!doctype[^>]*>|</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>",
    re.DOTALL | re.IGNORECASE,
)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*\)")
_MARKS = re.compile(
    r"^(?:[ \t]*>)+|^#{1,6} ?|^ {0,3}(?:\*{3,}|-{3,})$|<(?=https?:)|(?<=[\w/#])>|[*`\\]", re.M
)


@dataclass(slots=True)
class Row:
    """What became of one file, read in one way. Figures that do not apply are None.

    `characters` are those of the text as it is indexed; `right` is None for a file nothing is known of,
    `faults` say why a file is not right; `known` says what the file was held against.
    """

    name: str
    outcome: str
    engine: str = ""
    encoding: str | None = None
    characters: int = 0
    similarity: float | None = None
    excess: float | None = None
    known: str = ""
    right: bool | None = None
    faults: list[str] = field(default_factory=list)
    message: str = ""
    seconds: float = 0.0


def read_folder(folder: Path, only: str = "") -> Iterator[Row]:
    """Read every file of a folder whose name holds `only`, in the order of the names."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and only in path.name:
            known = [each for each in EXPECTED if each.name == path.name]
            if not known:
                yield read_one(path)
            for expected in known:
                yield read_one(path, expected)


def read_one(path: Path, expected: Expected | None = None) -> Row:
    """Read one file as an ingest does, and judge the reading where something is known of the file."""
    password = expected.password if expected else ""
    name = path.name + (" + password" if password else "")
    start = time.perf_counter()
    result, text = None, ""
    try:
        result = read_file(path, options=ReadOptions(passwords=(password,) if password else ()))
        text = assemble(result.blocks, result.pages).text
        outcome = Outcome.PARTIAL if result.warnings or result.empty_pages else Outcome.OK
        row = Row(name, str(outcome), _engine(result), result.encoding, len(text))
        row.message = result.warnings[0] if result.warnings else ""
    except ReadError as error:
        row = Row(name, str(error.outcome), message=str(error))
    except Exception as error:  # what an ingest reports as a failure of this file
        row = Row(name, str(Outcome.FAILED), message=f"{type(error).__name__}: {error}")
    row.seconds = round(time.perf_counter() - start, 2)
    if expected:
        _judge(row, expected, path, text, result)
    return row


def _engine(result: ReadResult) -> str:
    return ", ".join(f"{name} {_runs(pages)}" for name, pages in result.engines.items()) or result.format


def _runs(pages: Sequence[int]) -> str:
    """Return page numbers in a short form, such as "1-3 5"."""
    runs: list[list[int]] = []
    for page in sorted(pages):
        if runs and page == runs[-1][1] + 1:
            runs[-1][1] = page
        else:
            runs.append([page, page])
    return " ".join(f"{first}-{last}" if last > first else str(first) for first, last in runs)


def _judge(row: Row, expected: Expected, path: Path, text: str, result: ReadResult | None) -> None:
    if row.outcome not in {str(each) for each in expected.outcomes}:
        row.faults.append(f"is {row.outcome}, not {' or '.join(map(str, expected.outcomes))}")
    if result is not None:
        _judge_text(row, expected, path, text, result.title or "")
    row.right = not row.faults


def _judge_text(row: Row, expected: Expected, path: Path, text: str, title: str) -> None:
    known, fault = [], row.faults.append
    if expected.whole:
        best = max((likeness(each, text) for each in _references(expected, path)), key=_overall)
        row.similarity, row.excess = round(best.similarity, 4), round(best.excess, 4)
        known.append("whole text")
        if best.similarity < expected.at_least:
            fault(f"similarity {best.similarity:.4f} is below {expected.at_least}")
        if best.excess > expected.excess + 1e-9:
            fault(f"{best.excess:.1%} of what was read is not expected")
    if expected.begins:
        known.append("beginning")
        if fold(expected.begins) not in fold(text[: len(expected.begins) + 300]):
            fault(f"does not begin with {expected.begins[:40]!r}")
    if expected.length:
        known.append(f"{expected.length:,} characters ±{expected.tolerance:.0%}")
        if abs(len(text) - expected.length) > expected.tolerance * expected.length:
            fault(f"{len(text):,} characters, not about {expected.length:,}")
    if expected.phrases:
        missing = in_order(expected.phrases, text)
        known.append(f"{len(expected.phrases) - len(missing)} of {len(expected.phrases)} phrases")
        if missing:
            fault("not there, or not in order: " + "; ".join(missing[:5]))
    folded = fold(text)
    for phrase in expected.once:
        if (count := folded.count(fold(phrase))) != 1:
            fault(f"{phrase!r} stands there {count} times")
    if found := [each for each in expected.absent if each in text]:
        fault("should not be there: " + "; ".join(found))
    if expected.encodings and row.encoding not in expected.encodings:
        fault(f"encoding {row.encoding}, not {' or '.join(expected.encodings)}")
    if expected.title and expected.title != title:
        fault(f"title {title!r}, not {expected.title!r}")
    row.known = ", ".join(known)


def _overall(found: Likeness) -> float:
    return found.similarity - found.excess


def _references(expected: Expected, path: Path) -> list[str]:
    """Return the texts that a file's reading may be, by the source that `Expected` names."""
    if expected.files:
        return [(path.parent / "expected" / name).read_text(encoding="utf-8") for name in expected.files]
    if expected.decode:
        source = path.read_bytes().decode(expected.decode)
        if expected.markup:
            source = html.unescape(_NO_TEXT.sub(" ", source))
        return [_MARKS.sub("", _LINK.sub(r"\1", source)) if expected.markup == "markdown" else source]
    return [_by_pdfium(path)] if expected.pdfium else [expected.text]


def _by_pdfium(path: Path) -> str:
    """Return the text of a PDF by PDFium: divided words made whole, numbers of pages taken off."""
    import pypdfium2

    with pypdfium2.PdfDocument(path) as document:
        pages = [page.get_textpage().get_text_range().replace("\ufffe", "") for page in document]
    return "\n".join(re.sub(r"\s+\d+\s*$", "", page) for page in pages)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table for a terminal, and below it what is wrong with those that are."""
    heads = (
        "file",
        "outcome",
        "engine",
        "encoding",
        "characters",
        "similar",
        "excess",
        "held against",
        "s",
        "",
    )
    cells = [heads, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    lines = ["  ".join(cell.ljust(widths[at]) for at, cell in enumerate(line)).rstrip() for line in cells]
    judged = [row for row in rows if row.right is not None]
    lines += ["", f"{sum(bool(row.right) for row in judged)} of {len(judged)} as they should be"]
    lines += [f"{row.name}: {'; '.join(row.faults)}" for row in rows if row.faults]
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    figures = ["" if one is None else f"{one:.4f}" for one in (row.similarity, row.excess)]
    verdict = {True: "right", False: "WRONG", None: ""}[row.right]
    counted = f"{row.characters:,}" if row.characters else ""
    return (
        row.name, row.outcome, row.engine, row.encoding or "", counted, *figures, row.known,
        f"{row.seconds:.2f}", verdict,
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, judge, print."""
    parser = argparse.ArgumentParser(prog="evaluation.reading", description="Judge how files are read.")
    parser.add_argument("folder", nargs="?", type=Path, help="a folder of documents")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", default="", metavar="NAME", help="only files whose name holds this")
    given = parser.parse_args(arguments)
    if given.folder is None or not given.folder.is_dir():
        what = "name a folder of documents" if given.folder is None else f"no such folder: {given.folder}"
        print(f"evaluation.reading: {what}", file=sys.stderr)
        return 2
    rows = list(read_folder(given.folder, given.only))
    wrong = [row.name for row in rows if row.right is False]
    if given.json:
        files: list[dict[str, Any]] = [asdict(row) for row in rows]
        print(json.dumps({"files": files, "wrong": wrong}, ensure_ascii=False, indent=2))
    else:
        print(table(rows))
    return 3 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
