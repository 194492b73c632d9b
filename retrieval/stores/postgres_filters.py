"""Filters as conditions of PostgreSQL over fields of JSON, with the meaning that they have in Python."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from retrieval.errors import UsageError
from retrieval.filters import All, AnyOf, Filter, HasTag, Matches, Not, OneOf, ReadableBy, Tagged, Where
from retrieval.stores.storable import storable

Condition = tuple[str, list[Any]]


def condition(where: Filter, columns: Mapping[str, str]) -> Condition:
    """Return a condition and its parameters; `columns` maps field names to expressions of type jsonb, never NULL.

    Raises:
        UsageError: there is no such field.
    """
    match where:
        case Where():
            return _compared(where, columns)
        case OneOf():
            marks = ", ".join(["CAST(? AS jsonb)"] * len(where.values))
            values = [_json(value) for value in where.values]
            return f"{_column(columns, where.field)} IN ({marks})", values
        case Matches():
            column = _column(columns, where.field)
            return f"(jsonb_typeof({column}) = 'string' AND {column} #>> '{{}}' LIKE ?)", [
                _like(where.pattern)
            ]
        case Tagged():
            column = _column(columns, where.field)
            query = f"coalesce({column} -> CAST(? AS text) @> CAST(? AS jsonb), false)"
            return query, [where.key, _json([where.value])]
        case HasTag():
            column = _column(columns, where.field)
            return f"coalesce({column} -> CAST(? AS text) <> CAST('[]' AS jsonb), false)", [where.key]
        case ReadableBy():
            marks = ", ".join("?" * len(where.principals))
            readable = f"SELECT document_id FROM readers WHERE principal IN ({marks})"
            return f"document_id IN ({readable})", list(where.principals)
        case Not():
            text, values = condition(where.filter, columns)
            return f"NOT coalesce(({text}), false)", values
        case All():
            return _joined(where.filters, "AND", "true", columns)
        case AnyOf():
            return _joined(where.filters, "OR", "false", columns)


def _compared(where: Where, columns: Mapping[str, str]) -> Condition:
    column, value = _column(columns, where.field), where.value
    if where.comparison in ("==", "!="):
        sign = "=" if where.comparison == "==" else "<>"
        return f"{column} {sign} CAST(? AS jsonb)", [_json(value)]
    if value is None:
        return "false", []
    if isinstance(value, str):
        # By code points, as Python compares, whatever the collation of the database.
        text = f"({column} #>> '{{}}') COLLATE \"C\" {where.comparison} ?"
        return f"(jsonb_typeof({column}) = 'string' AND {text})", [value]
    number = f"CAST({column} #>> '{{}}' AS numeric) {where.comparison} CAST(? AS numeric)"
    # A CASE, since the order in which AND looks at its sides is not promised.
    return f"CASE WHEN jsonb_typeof({column}) = 'number' THEN {number} ELSE false END", [str(float(value))]


def _column(columns: Mapping[str, str], field: str) -> str:
    try:
        return columns[field]
    except KeyError:
        raise UsageError(
            f"there is no field '{field}' to filter on; there are {', '.join(sorted(columns))}"
        ) from None


def _joined(filters: Iterable[Filter], word: str, empty: str, columns: Mapping[str, str]) -> Condition:
    parts: list[str] = []
    parameters: list[Any] = []
    for item in filters:
        text, values = condition(item, columns)
        parts.append(f"({text})")
        parameters += values
    return f" {word} ".join(parts) or empty, parameters


def _json(value: Any) -> str:
    return json.dumps(storable(value), ensure_ascii=False)


def _like(pattern: str) -> str:
    for character in "\\%_":
        pattern = pattern.replace(character, "\\" + character)
    return pattern.replace("*", "%").replace("?", "_")
