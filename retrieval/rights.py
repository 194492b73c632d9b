"""What a caller may find, as filters that a store applies before it ranks."""

from __future__ import annotations

from collections.abc import Sequence

from retrieval.access import Caller
from retrieval.filters import All, AnyOf, Filter, ReadableBy, Tagged


def readable_by(who: Caller | None) -> Filter | None:
    """Return the filter of the passages that somebody may find; None where that is all."""
    if who is None:
        return None
    readers = () if who.owns else (ReadableBy(who.principals()),)
    return All((*readers, *_bound(who, ("tags",))))


def within(who: Caller | None, fields: Sequence[str]) -> Filter | None:
    """Return the filter of what a caller is bound to, over fields that hold tags; None where that is all."""
    bound = () if who is None else _bound(who, fields)
    return All(bound) if bound else None


def _bound(who: Caller, fields: Sequence[str]) -> tuple[Filter, ...]:
    return tuple(
        AnyOf(tuple(Tagged(field, key, value) for value in values for field in fields))
        for key, values in (() if who.bound is None else who.bound.tags)
    )
