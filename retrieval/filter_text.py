"""Filters as people write them: `language=ja`, `modified>=2024-01-01`, `document~hr/*`, `tag.ward in ["icu", "or"]`.

In such a list `null` is that there is no such tag: `tag.ward in [null]`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from retrieval.errors import UsageError
from retrieval.filters import All, AnyOf, Comparison, Filter, HasTag, Matches, Not, OneOf, Tagged, Where

TAGS = "tags"
_TEXT = ("document", "path", "title", "language", "format", "created", "modified")
_NUMBER = ("page",)
_SHAPE = re.compile(r"\s*(?P<field>[^\s=!<>~]+)\s*(?P<sign>!=|!~|>=|<=|==|=|~|<|>)\s*(?P<value>.*?)\s*", re.S)
_AMONG = re.compile(r"\s*(?P<field>[^\s=!<>~]+)\s+in\s*(?P<values>\[.*\])\s*", re.S)
_TAG = "tag."
_HELP = (
    f'a filter is FIELD=VALUE, with =, !=, <, <=, >, >=, ~ or !~ (a pattern with *), or FIELD in ["ONE", "TWO"], '
    f"where FIELD is one of {', '.join((*_TEXT, *_NUMBER))}, author or {_TAG}NAME"
)
_LONGEST = 1000
_LONGEST_LIST = 20_000
_MOST_VALUES = 100


def parse_filters(texts: Sequence[str]) -> Filter | None:
    """Return one filter that holds when all of the texts do; None for no text.

    Raises:
        UsageError: a text is no filter, or names an unknown field.
    """
    filters = tuple(parse_filter(text) for text in texts)
    if not filters:
        return None
    return filters[0] if len(filters) == 1 else All(filters)


def parse_filter(text: str) -> Filter:
    """Return the filter that a text stands for.

    Raises:
        UsageError: it is none, or names an unknown field.
    """
    listed = _AMONG.fullmatch(text) if len(text) <= _LONGEST_LIST else None
    if listed is not None:
        return _among(listed["field"], listed["values"])
    match = _SHAPE.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or not match["value"]:
        raise UsageError(f"'{text[:80]}' is no filter: {_HELP}")
    name, sign, value = match["field"], match["sign"], match["value"]
    if _is_tag(name):
        return _tag_filter(name.removeprefix(_TAG), sign, value)
    if name not in (*_TEXT, *_NUMBER):
        raise UsageError(f"there is no field '{name[:80]}' to filter on: {_HELP}")
    if sign in ("~", "!~"):
        if name in _NUMBER:
            raise UsageError(f"'{name}' is a number and has no pattern: {_HELP}")
        pattern = Matches(name, value)
        return pattern if sign == "~" else Not(pattern)
    return Where(name, _comparison(sign), _number(name, value) if name in _NUMBER else value)


def among(field: str, values: Sequence[str | None]) -> str:
    """Return the text of a filter that holds where a field, or a tag as `tag.NAME`, has one of several values.

    None, of a tag alone, is that there is no such tag.
    """
    return f"{field} in {json.dumps(list(values), ensure_ascii=False)}"


def parse_tags(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the tags, each KEY=VALUE, that a person gives documents.

    Raises:
        UsageError: a text is no tag.
    """
    tags: dict[str, tuple[str, ...]] = {}
    for text in texts:
        key, sign, value = (part.strip() for part in text.partition("="))
        plain = text.isprintable() and len(text) <= _LONGEST
        if not sign or not key or not value or not plain or any(mark in key for mark in "=!<>~ "):
            raise UsageError(f"{text[:80]!r} is no tag: write key=value")
        tags[key] = tuple(dict.fromkeys((*tags.get(key, ()), value)))
    return tags


def _is_tag(name: str) -> bool:
    return name == "author" or (name.startswith(_TAG) and len(name) > len(_TAG))


def _among(name: str, text: str) -> Filter:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    kind = int if name in _NUMBER else str
    kinds = (str, type(None)) if _is_tag(name) else (kind,)
    if not values or len(values) > _MOST_VALUES or not all(type(value) in kinds for value in values):
        most = f"1 to {_MOST_VALUES}"
        what = f"{most} numbers" if kind is int else f'{most} texts in quotation marks, as ["a", "b"]'
        raise UsageError(f"'{name[:80]} in' takes a list of {what}, not {text[:80]!r}")
    if _is_tag(name):
        key = name.removeprefix(_TAG)
        return AnyOf(
            tuple(Not(HasTag(TAGS, key)) if value is None else Tagged(TAGS, key, value) for value in values)
        )
    if name not in (*_TEXT, *_NUMBER):
        raise UsageError(f"there is no field '{name[:80]}' to filter on: {_HELP}")
    return OneOf(name, tuple(values))


def _tag_filter(key: str, sign: str, value: str) -> Filter:
    tagged = Tagged(TAGS, key, value)
    if sign in ("=", "=="):
        return tagged
    if sign == "!=":
        return Not(tagged)
    raise UsageError(f"a tag is compared with = or !=, not {sign}: {_HELP}")


def _comparison(sign: str) -> Comparison:
    return "==" if sign == "=" else sign  # type: ignore[return-value]


def _number(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise UsageError(f"'{name}' is a number, not '{value[:80]}'") from None
