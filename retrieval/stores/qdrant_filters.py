"""Filters as conditions of Qdrant over the payload of its points.

Qdrant compares numbers, and texts for being equal; for what it cannot (order of texts, patterns, any value of a tag)
the values that a field has are looked through, and those that fit are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from retrieval.errors import UsageError
from retrieval.filters import All, AnyOf, Filter, HasTag, Matches, Not, OneOf, ReadableBy, Tagged, Where

Values = Callable[[str], Sequence[Any]]
"""Gives the values that rows have in a field."""
TAG_SIGN = "\x1f"
"""Stands between the key and the value of a tag, as they are kept for filters."""


class QdrantFilters:
    """Makes conditions for a collection of these fields."""

    def __init__(self, models: Any, fields: Sequence[str], values: Values) -> None:
        self._models = models
        self._fields = fields
        self._values = values

    def condition(self, where: Filter | None) -> Any:
        """Return a filter of Qdrant; None for none.

        Raises:
            UsageError: there is no such field.
        """
        return None if where is None else self._models.Filter(must=[self._of(where)])

    def _of(self, where: Filter) -> Any:
        match where:
            case Where():
                return self._compared(where)
            case OneOf():
                return self._any([self._equal(where.field, value) for value in where.values])
            case Matches():
                return self._fitting(where.field, where)
            case Tagged():
                self._check(where.field)
                tag = f"{where.key}{TAG_SIGN}{where.value}"
                return self._match(f"tagged.{where.field}", tag)
            case HasTag():
                return self._any_value(where)
            case ReadableBy():
                return self._any([self._match("readers", principal) for principal in where.principals])
            case Not():
                return self._models.Filter(must_not=[self._of(where.filter)])
            case All():
                return self._models.Filter(must=[self._of(item) for item in where.filters])
            case AnyOf():
                return self._any([self._of(item) for item in where.filters])

    def _compared(self, where: Where) -> Any:
        if where.comparison == "==":
            return self._equal(where.field, where.value)
        if where.comparison == "!=":
            return self._models.Filter(must_not=[self._equal(where.field, where.value)])
        if isinstance(where.value, int | float) and not isinstance(where.value, bool):
            name = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}[where.comparison]
            bounds = self._models.Range(**{name: where.value})
            return self._models.FieldCondition(key=self._path(where.field), range=bounds)
        return self._fitting(where.field, where)

    def _equal(self, field: str, value: Any) -> Any:
        if value is None:
            return self._models.IsEmptyCondition(is_empty=self._models.PayloadField(key=self._path(field)))
        if isinstance(value, float):
            bounds = self._models.Range(gte=value, lte=value)
            return self._models.FieldCondition(key=self._path(field), range=bounds)
        return self._match(self._path(field), value)

    def _fitting(self, field: str, where: Where | Matches) -> Any:
        self._check(field)
        fitting = []
        for value in self._values(field):
            try:
                holds = where({field: value})
            except TypeError:  # values of another type
                holds = False
            if holds:
                fitting.append(self._equal(field, value))
        return self._any(fitting)

    def _any_value(self, where: HasTag) -> Any:
        self._check(where.field)
        held = [tags for tags in self._values(where.field) if isinstance(tags, Mapping)]
        found = dict.fromkeys(str(value) for tags in held for value in tags.get(where.key, ()))
        return self._any([self._of(Tagged(where.field, where.key, value)) for value in found])

    def _match(self, path: str, value: Any) -> Any:
        match = self._models.MatchValue(value=value)
        return self._models.FieldCondition(key=path, match=match)

    def _any(self, conditions: Sequence[Any]) -> Any:
        if not conditions:  # which Qdrant takes for everything
            return self._models.HasIdCondition(has_id=[])
        return self._models.Filter(should=list(conditions))

    def _path(self, field: str) -> str:
        self._check(field)
        return "key" if field == "key" else f"data.{field}"

    def _check(self, field: str) -> None:
        if field != "key" and field not in self._fields:
            known = ", ".join(sorted({"key", *self._fields}))
            raise UsageError(f"there is no field '{field}' to filter on; there are {known}")
