"""JSON Lines: one record a line with `text`, a `title` if it has one, and what else is known of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ingest.blocks import NO_OPTIONS, Block, BlockKind, Outcome, ReadError, ReadOptions, ReadResult
from ingest.decode import decode_text, is_binary
from ingest.readers.bodies import body_blocks
from ingest.readers.meta import language_code

_TITLE_LEVEL = 2
_MOST_TAG_LENGTH = 200

Record = dict[str, Any]


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read a file of JSON records, one a line, or one JSON list of records.

    A record is an object with a `text` that is not empty. Other scalar keys that all records share, with
    the same value, become tags of the document; the rest stand as `key: value` above the record's text.
    Lines that are no record are named in the warnings and cost no other line.

    Raises:
        ReadError: UNSUPPORTED for a binary file and for JSON that is no list of records, EMPTY for a file
            without any line, FAILED when no line is a record.
    """
    decoded = decode_text(data)
    if is_binary(decoded.text):
        raise ReadError(Outcome.UNSUPPORTED, "a binary file, not JSON Lines")
    if not decoded.text.strip():
        raise ReadError(Outcome.EMPTY, "no text in the file")
    records: list[Record] = []
    broken: list[str] = []
    for place, value in _values(decoded.text):
        why = value if isinstance(value, str) else _why_no_record(value)
        if why:
            broken.append(f"{place}: {why}")
        else:
            records.append(value)
    if not records:
        first = broken[0] if broken else "an empty list"
        # One whole JSON value is some program's data or settings: not meant to be read, and not damaged.
        whole = not first.startswith("line ")
        raise ReadError(
            Outcome.UNSUPPORTED if whole else Outcome.FAILED, f"no record with a text in it ({first})"
        )
    shared = _shared(records)
    result = ReadResult(
        [block for record in records for block in _record(record, shared)],
        "jsonl",
        title=_title(records[0]) if len(records) == 1 else None,
        language=language_code(shared.pop("language", shared.pop("lang", None))),
        encoding=decoded.encoding,
        warnings=decoded.warnings + broken,
    )
    result.tags = {key: (value,) for key, value in shared.items()}
    return result


def _values(text: str) -> Iterator[tuple[str, Any]]:
    """Yield (place, value) of each record; the value is a text that says why where there is none."""
    if text.lstrip().startswith(("[", "{\n")):
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError):
            pass  # lines after all
        else:
            values = whole if isinstance(whole, list) else [whole]
            yield from ((f"record {index}", _not_text(value)) for index, value in enumerate(values, start=1))
            return
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield f"line {number}", _not_text(json.loads(line))
        except json.JSONDecodeError as error:
            yield f"line {number}", f"no JSON ({error.msg.lower()}, column {error.colno})"
        except (ValueError, RecursionError):
            yield f"line {number}", "no JSON that can be read"


def _not_text(value: Any) -> Any:
    return "not an object" if isinstance(value, str) else value


def _why_no_record(value: Any) -> str:
    if not isinstance(value, dict):
        return "not an object"
    if "text" not in value:
        return 'no "text" in it'
    text = value["text"]
    return "" if isinstance(text, str) and text.strip() else '"text" is empty or no text'


def _shared(records: list[Record]) -> dict[str, str]:
    """Return the keys that all records have with one value. A single record shares all of its own."""
    first = {key: text for key, value in records[0].items() if (text := _scalar(key, value))}
    return {
        key: text
        for key, text in first.items()
        if len(text) <= _MOST_TAG_LENGTH
        and all(_scalar(key, record.get(key)) == text for record in records[1:])
    }


def _scalar(key: str, value: Any) -> str:
    """Return a value of a record as a text, "" for lists, objects, nothing, and for text and title."""
    if key in ("text", "title") or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(str(value).split())


def _title(record: Record) -> str | None:
    title = record.get("title")
    return " ".join(title.split()) or None if isinstance(title, str) else None


def _record(record: Record, shared: dict[str, str]) -> Iterator[Block]:
    if title := _title(record):
        yield Block(title, BlockKind.HEADING, level=_TITLE_LEVEL)
    known = [
        f"{key}: {text}"
        for key, value in record.items()
        if key not in shared and (text := _scalar(key, value))
    ]
    if known:
        yield Block("\n".join(known))
    yield from body_blocks(record["text"], _TITLE_LEVEL)
