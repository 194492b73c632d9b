"""A JSON Schema (draft 2020-12) that facts are read out by: checked before anything is read, and held to at the end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import regex
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from kernel.documents.results import Invalid
from retrieval.errors import UsageError

MOST_CHARACTERS = 50_000
MOST_FIELDS = 60
_DEEPEST = 6
_PATTERN_SECONDS = 0.5
_SPLIT = re.compile(r"[_\-./\s]+|(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Field:
    """A value that a schema asks for: where it goes, what of, and of which kind.

    `kind` is string, number, integer, boolean, date or enum; `many` is a list of them. `query` says what is looked for
    in words.
    """

    path: tuple[str, ...]
    kind: str
    many: bool
    query: str
    nullable: bool
    choices: tuple[str, ...] = ()

    @property
    def pointer(self) -> str:
        """Return where it goes, as a JSON pointer."""
        return pointer(self.path)


def pointer(path: Sequence[str | int]) -> str:
    """Return a path as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


class Schema:
    """A schema that is valid, that describes an object, and that does not contradict itself.

    Raises:
        UsageError: it is not; the message names the property.
    """

    def __init__(self, schema: Any) -> None:
        if not isinstance(schema, dict):
            raise UsageError("the schema must be a JSON object")
        if len(json.dumps(schema, ensure_ascii=False)) > MOST_CHARACTERS:
            raise UsageError(f"the schema has more than {MOST_CHARACTERS:,} characters")
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise UsageError(
                f"the schema is not valid at '{pointer(list(error.absolute_path)) or '/'}': {_short(error.message)}"
            ) from error
        except RecursionError as error:
            raise UsageError("the schema is nested too deeply") from error
        self.schema = schema
        _check_references(schema)
        # An empty registry: nothing is fetched for a reference.
        self._validator = _Validator(
            schema, registry=Registry(), format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        self.fields = list(self._fields(schema, (), (), 0))
        if not self.fields:
            raise UsageError("the schema must describe an object with properties")
        if len(self.fields) > MOST_FIELDS:
            raise UsageError(f"the schema asks for {len(self.fields)} values, {MOST_FIELDS} are the most")

    def errors(self, data: Any) -> list[Invalid]:
        """Return what is wrong with some data, by property; nothing where it follows the schema."""
        found: list[Invalid] = []
        try:
            for error in self._validator.iter_errors(data):
                found += _invalid(error)
        except (Unresolvable, RecursionError, TimeoutError) as error:
            reason = "a pattern takes too long" if isinstance(error, TimeoutError) else _short(str(error))
            raise UsageError(f"the schema cannot be applied: {reason}") from error
        return sorted(found, key=lambda item: item.property)

    def takes_null(self, path: Sequence[str]) -> bool:
        """Say whether a property may be null."""
        return any(item.nullable for item in self.fields if item.path == tuple(path))

    def text(self) -> str:
        """Return the schema as a model is shown it."""
        return json.dumps(self.schema, ensure_ascii=False)

    def _fields(
        self, schema: Any, path: tuple[str, ...], words: tuple[str, ...], depth: int
    ) -> Iterator[Field]:
        schema = self._resolved(schema, path)
        if depth > _DEEPEST:
            return
        _check_possible(schema, path)
        for part in schema.get("allOf", ()):
            yield from self._fields(part, path, words, depth + 1)
        for name, below in schema.get("properties", {}).items():
            where = (*path, str(name))
            below = self._resolved(below, where)
            own = (*words, _words(name, below))
            if "properties" in below or "allOf" in below:
                yield from self._fields(below, where, own, depth + 1)
                continue
            items = self._resolved(below.get("items", {}), where) if _has(below, "array") else None
            _check_possible(below, where)
            if items is not None:
                _check_possible(items, where)
            told = items if items is not None else below
            kind, choices = _kind(told)
            if kind:
                nullable = Draft202012Validator(_plainly(below)).is_valid(None)
                yield Field(where, kind, items is not None, " ".join(own), nullable, choices)

    def _resolved(self, schema: Any, path: tuple[str, ...]) -> dict[str, Any]:
        for _ in range(_DEEPEST):
            if schema is False:
                raise UsageError(f"the schema cannot be met: '{pointer(path) or '/'}' allows no value")
            if not isinstance(schema, dict):
                return {}
            if "$ref" not in schema:
                return schema
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            found = _at(self.schema, schema["$ref"])
            schema = {**found, **rest} if isinstance(found, dict) else found
        raise UsageError(f"the schema's references at '{pointer(path) or '/'}' lead in a circle")


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string"):
        try:
            found = regex.search(pattern, instance, timeout=_PATTERN_SECONDS)
        except regex.error:
            return  # another dialect's; it cannot be checked
        if found is None:
            yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator = extend(Draft202012Validator, {"pattern": _pattern})


def _check_references(schema: Any) -> None:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                if not value.startswith("#"):
                    raise UsageError(
                        f"the schema refers to '{value[:80]}': only its own parts (#/$defs/…) can be used"
                    )
            elif key in ("patternProperties",):
                raise UsageError("a schema with patternProperties cannot be used: name the properties")
            else:
                _check_references(value)
    elif isinstance(schema, list):
        for value in schema:
            _check_references(value)


def _at(schema: dict[str, Any], reference: str) -> Any:
    """Return the part of a schema that a reference names."""
    held: Any = schema
    for part in reference.lstrip("#").split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        held = held.get(name) if isinstance(held, dict) else None
        if held is None:
            raise UsageError(f"the schema refers to '{reference[:80]}', which it does not hold")
    return held


def _check_possible(schema: dict[str, Any], path: tuple[str, ...]) -> None:
    """Find plain contradictions, so that a schema that nothing can meet is told before anything is read."""
    where = pointer(path) or "/"
    for low, high in (
        ("minimum", "maximum"),
        ("exclusiveMinimum", "maximum"),
        ("minimum", "exclusiveMaximum"),
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
        ("minProperties", "maxProperties"),
    ):
        if low in schema and high in schema and schema[low] > schema[high]:
            raise UsageError(
                f"the schema cannot be met: '{where}' has {low} {schema[low]} above {high} {schema[high]}"
            )
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if choices is not None:
        rest = {key: value for key, value in schema.items() if key not in ("enum", "const", "$ref")}
        checker = Draft202012Validator({k: v for k, v in rest.items() if k in _PLAIN})
        if not any(checker.is_valid(choice) for choice in choices):
            raise UsageError(f"the schema cannot be met: no value of enum at '{where}' fits the rest of it")
    properties = schema.get("properties", {})
    if schema.get("additionalProperties") is False:
        for name in schema.get("required", ()):
            if name not in properties:
                raise UsageError(
                    f"the schema cannot be met: '{pointer((*path, name))}' is required and not allowed"
                )


def _plainly(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what of a schema says of which kind its value is."""
    return {key: value for key, value in schema.items() if key in ("type", "enum", "const")}


_PLAIN = ("type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength")


def _has(schema: dict[str, Any], kind: str) -> bool:
    named = schema.get("type")
    return named == kind or (isinstance(named, list) and kind in named)


def _kind(schema: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if choices is not None and any(isinstance(choice, str) for choice in choices):
        return "enum", tuple(choice for choice in choices if isinstance(choice, str))
    for kind in ("integer", "number", "boolean"):
        if _has(schema, kind):
            return kind, ()
    if _has(schema, "string") or "type" not in schema:
        return ("date" if schema.get("format") == "date" else "string"), ()
    return "", ()


def _words(name: str, schema: dict[str, Any]) -> str:
    """Return what a property is called in words: by its title or its name, and its description."""
    title = schema.get("title") or " ".join(part for part in _SPLIT.split(str(name)) if part)
    description = schema.get("description") or ""
    return f"{title} {description}".strip() if description.lower() != str(title).lower() else description


def _invalid(error: ValidationError) -> list[Invalid]:
    path = list(error.absolute_path)
    if error.validator == "required" and isinstance(error.instance, dict):
        missing = [name for name in error.validator_value if name not in error.instance]
        return [Invalid(property=pointer([*path, name]), message="no value was found") for name in missing]
    return [Invalid(property=pointer(path), message=_short(error.message))]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:300] + "…"
