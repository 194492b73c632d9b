"""The front matter of a Markdown file, in YAML or TOML: what the writer says of the document."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from ingest.readers.meta import iso_date, key_words, language_code

_YAML = re.compile(r"\s*^---[ \t]*\n(?P<inside>.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_TOML = re.compile(r"\s*^\+\+\+[ \t]*\n(?P<inside>.*?)^\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_PAIR = re.compile(r"([\w-]+)[ \t]*:(.*)")
_CREATED = ("created", "date", "published", "pubdate", "作成日", "日付")
_MODIFIED = ("modified", "updated", "lastmod", "last_modified", "last-modified", "更新日")
_AUTHORS = ("author", "authors", "著者", "作成者")
_WORD_LISTS = ("tags", "keywords", "categories", "category", "tag")
_OWN = frozenset(("title", "lang", "language", *_CREATED, *_MODIFIED, *_AUTHORS))


@dataclass(slots=True)
class FrontMatter:
    """See `ReadResult` for what the fields mean. `warning` says why a front matter was read as text."""

    title: str | None = None
    language: str | None = None
    created: str | None = None
    modified: str | None = None
    authors: tuple[str, ...] = ()
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    warning: str | None = None


def take_front_matter(text: str) -> tuple[FrontMatter, str]:
    """Return what a front matter says, and the text behind it.

    Lines that are no YAML or TOML stay part of the text, with a warning: nothing is lost. Keys with one
    value or a list of values become tags; nested ones are not kept.
    """
    for pattern, load in ((_YAML, _yaml), (_TOML, _toml)):
        if match := pattern.match(text):
            values = load(match.group("inside"))
            if values is None:
                kind = "YAML" if pattern is _YAML else "TOML"
                return FrontMatter(warning=f"the front matter is no {kind} and was read as text"), text
            # Between two rules there may be just text.
            return (
                (_understood(values), text[match.end() :])
                if isinstance(values, dict)
                else (FrontMatter(), text)
            )
    return FrontMatter(), text


def _yaml(source: str) -> Any | None:
    import yaml

    try:
        return yaml.safe_load(source) or {}
    except (yaml.YAMLError, ValueError, RecursionError):
        # `title: Power failure: what to do` is no YAML, but plain enough.
        lines = [_PAIR.fullmatch(line) for line in source.split("\n") if line.strip()]
        if None in lines:
            return None
        return {pair.group(1): pair.group(2).strip() for pair in lines if pair}


def _toml(source: str) -> Any | None:
    import tomllib

    try:
        return tomllib.loads(source)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def _understood(values: dict[Any, Any]) -> FrontMatter:
    said = {str(key).strip().lower(): value for key, value in values.items()}

    def first_date(names: tuple[str, ...]) -> str | None:
        return next((found for name in names if (found := iso_date(said.get(name)))), None)

    tags: dict[str, tuple[str, ...]] = {}
    for key, value in said.items():
        words = _words(value, listed=key in _WORD_LISTS)
        if key not in _OWN and words:
            tags[key] = words
    # A date that is none is still what the writer said.
    for key in (*_CREATED, *_MODIFIED):
        if (words := _words(said.get(key), listed=False)) and iso_date(said[key]) is None:
            tags[key] = words
    return FrontMatter(
        title=next(iter(_words(said.get("title"), listed=False)), None),
        language=language_code(said.get("lang")) or language_code(said.get("language")),
        created=first_date(_CREATED),
        modified=first_date(_MODIFIED),
        authors=tuple(name for key in _AUTHORS for name in _words(said.get(key), listed=False)),
        tags=tags,
    )


def _words(value: Any, *, listed: bool) -> tuple[str, ...]:
    """Return a scalar or a list of scalars as texts; `listed` cuts a line of words at its commas."""
    if isinstance(value, list):
        return tuple(dict.fromkeys(word for each in value for word in _words(each, listed=False)))
    if isinstance(value, dict) or value is None:
        # Authors are often written as a name with an address.
        return _words(value.get("name"), listed=False) if isinstance(value, dict) else ()
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, (date, datetime)):
        return (iso_date(value) or str(value),)
    text = " ".join(str(value).split())
    return key_words(text) if listed else (text,) if text else ()
