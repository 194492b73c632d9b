"""Filters are data: a field, a comparison, a value; never code.

A filter becomes SQL with bound parameters. Field names are checked against the collection's declared
fields before they reach SQL. Each filter can be called on a record, which is what Semantic Kernel's search
options ask of a filter object.
"""

from __future__ import annotations

import ast
import fnmatch
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from retrieval.errors import UsageError

Scalar = str | int | float | bool | None
Comparison = Literal["==", "!=", "<", "<=", ">", ">="]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SQL = {"==": "IS", "!=": "IS NOT", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_AST: dict[type[ast.cmpop], Comparison] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


def _value(record: Any, field: str) -> Any:
    return record.get(field) if isinstance(record, Mapping) else getattr(record, field, None)


@dataclass(frozen=True, slots=True)
class Where:
    """A field compared with a value."""

    field: str
    comparison: Comparison
    value: Scalar

    def __post_init__(self) -> None:
        if self.comparison not in _COMPARISONS:
            raise UsageError(
                f"a filter compares with one of {', '.join(_COMPARISONS)}, not '{self.comparison}'"
            )

    def __call__(self, record: Any) -> bool:
        """Say whether the filter holds for a record."""
        value = _value(record, self.field)
        if self.comparison in ("==", "!="):
            return _COMPARISONS[self.comparison](value, self.value)
        return (
            value is not None and self.value is not None and _COMPARISONS[self.comparison](value, self.value)
        )

    def sql(self, columns: Mapping[str, str]) -> tuple[str, list[Any]]:
        """Return the condition and its parameters; `columns` maps field names to SQL expressions."""
        return f"{_column(columns, self.field)} {_SQL[self.comparison]} ?", [self.value]


@dataclass(frozen=True, slots=True)
class OneOf:
    """A field that has one of several values."""

    field: str
    values: tuple[Scalar, ...]

    def __call__(self, record: Any) -> bool:
        """Say whether the filter holds for a record."""
        return _value(record, self.field) in self.values

    def sql(self, columns: Mapping[str, str]) -> tuple[str, list[Any]]:
        """Return the condition and its parameters."""
        marks = ", ".join("?" * len(self.values))
        return f"{_column(columns, self.field)} IN ({marks})", list(self.values)


@dataclass(frozen=True, slots=True)
class Matches:
    """A field that a pattern holds for: `*` stands for anything, `?` for one character; case counts."""

    field: str
    pattern: str

    def __call__(self, record: Any) -> bool:
        """Say whether the filter holds for a record."""
        value = _value(record, self.field)
        return isinstance(value, str) and fnmatch.fnmatchcase(value, self.pattern.replace("[", "[[]"))

    def sql(self, columns: Mapping[str, str]) -> tuple[str, list[Any]]:
        """Return the condition and its parameters."""
        return f"{_column(columns, self.field)} GLOB ?", [self.pattern.replace("[", "[[]")]


@dataclass(frozen=True, slots=True)
class Tagged:
    """A field of tags that has a value under a key."""

    field: str
    key: str
    value: str

    def __call__(self, record: Any) -> bool:
        """Say whether the filter holds for a record."""
        tags = _value(record, self.field)
        return isinstance(tags, Mapping) and self.value in tags.get(self.key, ())

    def sql(self, columns: Mapping[str, str]) -> tuple[str, list[Any]]:
        """Return the condition and its parameters."""
        tags = _column(columns, self.field)
        condition = (
            f"EXISTS (SELECT 1 FROM json_each({tags}) AS tag, json_each(tag.value) AS item"
            " WHERE tag.key = ? AND item.value = ?)"
        )
        return condition, [self.key, self.value]


@dataclass(frozen=True, slots=True)
class HasTag:
    """A field of tags that has any value under a key."""

    field: str
    key: str

    def __call__(self, record: Any) -> bool:
        """Say whether the filter holds for a record."""
        tags = _value(record, self.field)
        return isinstance(tags, Mapping) and bool(tags.get(self.key))

    def sql(self, columns: Mapping[str, str]) -> tuple[str, list[Any]]:
        """Return the condition and its parameters."""
        tags = _column(columns, self.field)
        condition = (
            f"EXISTS (SELECT 1 FROM json_each({tags}) AS tag, json_each(tag.value) AS item WHERE tag.key = ?)"
        )
        return condition, [self.key]


@dataclass(frozen=True, slots=True)
class ReadableBy:
    """Rows of documents that one of several principals may read, see `retrieval.access`.

    No text of a filter gives it: only who searches for somebody adds it.
    """

    principals: tuple[str, ...]

    def __call__(self, record: Any) -> bool:
        """Say whether the filter holds for a record, by its field `readers`."""
        return not set(self.principals).isdisjoint(_value(record, "readers") or ())

    def sql(self, columns: Mapping[str, str]) -> tuple[str, list[Any]]:
        """Return the condition on the row's own column `document_id`, and its parameters."""
        marks = ", ".join("?" * len(self.principals))
        readable = f"SELECT document_id FROM readers WHERE principal IN ({marks})"
        return f"document_id IN ({readable})", list(self.principals)


@dataclass(frozen=True, slots=True)
class Not:
    """A filter that does not hold."""

    filter: Filter

    def __call__(self, record: Any) -> bool:
        """Say whether the filter holds for a record."""
        return not self.filter(record)

    def sql(self, columns: Mapping[str, str]) -> tuple[str, list[Any]]:
        """Return the condition and its parameters."""
        condition, values = self.filter.sql(columns)
        # What a comparison with nothing gives (NULL) is not true, so its opposite is.
        return f"NOT coalesce(({condition}), 0)", values


@dataclass(frozen=True, slots=True)
class All:
    """Every one of several filters holds; none given holds always."""

    filters: tuple[Filter, ...]

    def __call__(self, record: Any) -> bool:
        """Say whether the filter holds for a record."""
        return all(item(record) for item in self.filters)

    def sql(self, columns: Mapping[str, str]) -> tuple[str, list[Any]]:
        """Return the condition and its parameters."""
        return _joined(self.filters, "AND", "1", columns)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of several filters holds; none given holds never."""

    filters: tuple[Filter, ...]

    def __call__(self, record: Any) -> bool:
        """Say whether the filter holds for a record."""
        return any(item(record) for item in self.filters)

    def sql(self, columns: Mapping[str, str]) -> tuple[str, list[Any]]:
        """Return the condition and its parameters."""
        return _joined(self.filters, "OR", "0", columns)


Filter = Where | OneOf | Matches | Tagged | HasTag | ReadableBy | Not | All | AnyOf


def _column(columns: Mapping[str, str], field: str) -> str:
    try:
        return columns[field]
    except KeyError:
        raise UsageError(
            f"there is no field '{field}' to filter on; there are {', '.join(sorted(columns))}"
        ) from None


def _joined(
    filters: Iterable[Filter], word: str, empty: str, columns: Mapping[str, str]
) -> tuple[str, list[Any]]:
    parts: list[str] = []
    parameters: list[Any] = []
    for item in filters:
        condition, values = item.sql(columns)
        parts.append(f"({condition})")
        parameters += values
    return f" {word} ".join(parts) or empty, parameters


def from_lambda(node: ast.AST) -> Filter:
    """Translate the body of a developer's lambda into a filter; nothing is evaluated.

    Allowed: `x.field == value`, the other comparisons, `x.field in [values]`, `and`, `or`.

    Raises:
        UsageError: the expression holds anything else.
    """
    if isinstance(node, ast.Lambda | ast.Expression):
        return from_lambda(node.body)
    if isinstance(node, ast.BoolOp):
        parts = tuple(from_lambda(value) for value in node.values)
        return All(parts) if isinstance(node.op, ast.And) else AnyOf(parts)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, comparison, right = node.left, node.ops[0], node.comparators[0]
        if isinstance(comparison, ast.In) and isinstance(left, ast.Attribute):
            return OneOf(left.attr, tuple(_constant(right)))
        word = _AST.get(type(comparison))
        if word and isinstance(left, ast.Attribute):
            return Where(left.attr, word, _constant(right))
        if word and isinstance(right, ast.Attribute):
            return Where(right.attr, _MIRRORED[word], _constant(left))  # type: ignore[arg-type]
    raise UsageError(f"a filter compares a field with a value; '{ast.unparse(node)}' is something else")


def _constant(node: ast.AST) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise UsageError(f"a filter's value is a constant; '{ast.unparse(node)}' is not") from None
