"""`config`: what is set."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ui.console import print_json, print_table, quiet_libraries
from ui.options import JsonFlag

if TYPE_CHECKING:
    from kernel.settings import Settings


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
