"""`config`: what is set."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from ui.console import print_json, print_table, print_text, quiet_libraries
from ui.options import JsonFlag

if TYPE_CHECKING:
    from pydantic import BaseModel

    from kernel.settings import Settings


def config(as_json: JsonFlag = False) -> None:
    """Show all settings: value, meaning, and where each comes from."""
    quiet_libraries()
    from kernel.settings import load_settings

    settings = load_settings()
    rows, tables = setting_rows(settings), list(table_rows(type(settings)))
    if as_json:
        print_json({"settings": rows, "tables": tables})
        return
    print_table(
        ("setting", "value", "from", "meaning"),
        [
            (
                row["name"],
                _shown(row["value"]),
                row["from"],
                row["description"],
            )
            for row in rows
        ],
    )
    print_text("")
    print_table(
        ("in a table", "unless given", "meaning"),
        [
            (row["name"], "" if row["needed"] else _shown(row["default"]), row["description"])
            for row in tables
        ],
    )


def _shown(value: object) -> str:
    """Return a value as it would be written in tekio.toml."""
    return "unset" if value is None else json.dumps(value, ensure_ascii=False)


def setting_rows(settings: Settings) -> list[dict[str, Any]]:
    """Return name, value, description and origin of every setting."""
    from kernel.settings import SETTINGS_FILE
    from retrieval.stores.opening import shown

    file = Path(SETTINGS_FILE)
    in_file = tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}
    in_environment = {name.upper() for name in os.environ}
    values = settings.model_dump(mode="json") | {"store": shown(settings.store)}

    def origin(name: str) -> str:
        variable = f"TEKIO_{name.upper()}"
        if variable in in_environment:
            return variable
        return SETTINGS_FILE if name in in_file else "default"

    return [
        {"name": name, "value": values[name], "from": origin(name), "description": field.description or ""}
        for name, field in type(settings).model_fields.items()
    ]


def table_rows(model: type[BaseModel], before: str = "") -> Iterator[dict[str, Any]]:
    """Yield name, default value and description of each field of the tables that settings are made of.

    A table of a name that is the reader's own is called NAME; `[]` is each of a list.
    """
    from pydantic_core import PydanticUndefined, to_jsonable_python

    for name, field in model.model_fields.items():
        inner, mark = _table_of(field.annotation)
        if before:
            needed = field.is_required()
            given = None if needed else field.get_default(call_default_factory=True)
            yield {
                "name": f"{before}.{name}",
                "needed": needed or given is PydanticUndefined,
                "default": to_jsonable_python(given),
                "description": _with_choices(field.description or "", field.annotation),
            }
        if inner is not None:
            yield from table_rows(inner, f"{before}.{name}{mark}".removeprefix("."))


def _with_choices(description: str, annotation: Any) -> str:
    """Return what a field means with the values that it can have, where they are few and are not named there."""
    named = [str(value) for value in get_args(annotation)] if get_origin(annotation) is Literal else []
    if all(name in description for name in named):
        return description
    return f"{description}: {', '.join(named)}" if description else ", ".join(named)


def _table_of(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """Return the table that a field holds, and how one of it is named behind the field."""
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    mark = {dict: ".NAME", list: "[]"}.get(get_origin(annotation), "")
    for part in get_args(annotation):
        inner, more = _table_of(part)
        if inner is not None:
            return inner, mark + more
    return None, ""
