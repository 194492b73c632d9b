"""The one line of JSON by which a model calls a function, as a grammar, and how it is read again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from plugins.external.offered import OfferedFunction

NONE = "none"
_LONGEST_TEXT = 200
_MOST_ITEMS = 8
_WIDEST = 40


def call_schema(functions: Sequence[OfferedFunction]) -> dict[str, Any]:
    """Return the JSON Schema of a call of one of some functions, or of none."""
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": each.full_name}, "arguments": bounded(each.parameters)},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for each in functions
    ]
    nothing = {
        "type": "object",
        "properties": {"name": {"const": NONE}},
        "required": ["name"],
        "additionalProperties": False,
    }
    return {"anyOf": [nothing, *calls]}


def call_grammar(functions: Sequence[OfferedFunction]) -> str:
    """Return the grammar of a call, for `GenerationSettings`.

    Functions whose schema is beyond the grammar's words are to be left out before, see `can_be_written`.
    """
    return grammar_of(call_schema(functions))


def grammar_of(schema: Mapping[str, Any]) -> str:
    """Return the grammar of one line of JSON that fits a schema; words of a schema that it does not know are ignored.

    Without white space that could go on for ever, as it does with a small model.
    """
    from llguidance import LLMatcher

    return LLMatcher.grammar_from_json_schema(
        dict(schema),
        overrides={
            "whitespace_flexible": False,
            "item_separator": ", ",
            "key_separator": ": ",
            "lenient": True,
        },
    )


def can_be_written(function: OfferedFunction) -> bool:
    """Say whether a call of a function can be held within a grammar."""
    from llguidance import LLMatcher

    try:
        return not LLMatcher.validate_grammar(call_grammar([function]))
    except ValueError:
        return False


def bounded(schema: Any) -> Any:
    """Return a schema in which every text and list has an end, since a small model finds none by itself."""
    if isinstance(schema, list):
        return [bounded(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    found: dict[str, Any] = {
        key: {name: bounded(each) for name, each in value.items()}
        if key in ("properties", "$defs", "definitions") and isinstance(value, Mapping)
        else value
        if key in ("enum", "const", "default", "required")
        else bounded(value)
        for key, value in schema.items()
    }
    kinds = found.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "string" in kinds and not {"enum", "const", "pattern", "format"} & set(found):
        found["maxLength"] = min(_LONGEST_TEXT, found.get("maxLength", _LONGEST_TEXT))
    if "array" in kinds:
        found["maxItems"] = min(_MOST_ITEMS, found.get("maxItems", _MOST_ITEMS))
    if "properties" in found:
        found.setdefault("additionalProperties", False)
    return found


def read_call(
    written: str, functions: Sequence[OfferedFunction]
) -> tuple[OfferedFunction, dict[str, Any]] | None:
    """Return the function and the arguments of what a model wrote; None for none, and for what is no call.

    It is read as strictly as if there had been no grammar: a service that keeps none is held to the same functions.
    """
    try:
        call = json.loads(written)
    except (ValueError, RecursionError):
        return None
    if not isinstance(call, dict) or not isinstance(call.get("arguments"), dict):
        return None
    chosen = [each for each in functions if each.full_name == call.get("name")]
    return (chosen[0], call["arguments"]) if chosen else None


def render_functions(functions: Sequence[OfferedFunction]) -> str:
    """Return functions as the prompt shows them: a line each, with what each argument is."""
    lines = []
    for each in functions:
        required = set(each.parameters.get("required", []))
        shown = []
        for name, schema in each.parameters.get("properties", {}).items():
            told = " ".join(str(schema.get("description", "")).split()) if isinstance(schema, Mapping) else ""
            mark = "" if name in required else "?"
            shown.append(f"{name}{mark}: {told or _kind(schema)}")
        arguments = "; ".join(shown[:_WIDEST]) or "no arguments"
        lines.append(f"- {each.full_name}: {each.description} Arguments: {arguments}")
    return "\n".join(lines)


def _kind(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return "any"
    if "enum" in schema:
        return " or ".join(json.dumps(each, ensure_ascii=False) for each in schema["enum"][:12])
    return str(schema.get("type", "any"))
