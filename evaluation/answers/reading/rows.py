"""The rows of a file, each with where it stands, and their fields checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from retrieval.errors import UsageError

Row = dict[str, Any]


def whole_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the questions in {path}: {error}") from error


def json_lines(path: Path) -> Iterator[tuple[Row, str]]:
    """Yield the objects of a file of JSON lines, each with the file and line in which it stands.

    Raises:
        UsageError: a line is no JSON object.
    """
    for number, line in enumerate(whole_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise broken(where, f"no JSON: {error}") from error
        yield as_object(row, where), where


def broken(where: str, reason: str) -> UsageError:
    """Return the error of a row that is none."""
    return UsageError(f"{where}: not a question ({reason})")


def text_field(row: Row, name: str, where: str) -> str:
    """Return a field that must be a text with something in it.

    Raises:
        UsageError: it is not.
    """
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise broken(where, f"it has no text '{name}'")
    return value


def list_field(row: Row, name: str, where: str) -> list[Any]:
    """Return a field that must be a list.

    Raises:
        UsageError: it is not.
    """
    value = row.get(name)
    if not isinstance(value, list):
        raise broken(where, f"it has no list '{name}'")
    return value


def as_object(value: object, where: str) -> Row:
    """Return what must be a JSON object.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(value, dict):
        raise broken(where, "no JSON object")
    return value


def identity(row: Row, names: tuple[str, ...], otherwise: str) -> str:
    """Return the first of several fields that names the row, or another name for it."""
    for name in names:
        if isinstance(row.get(name), str | int) and str(row[name]):
            return str(row[name])
    return otherwise
