"""Whether a model was made to call functions, as far as its own files tell.

A model that was trained for it says so in its chat template, which then takes `tools`; the ones of Qwen, Llama 3,
Mistral, Granite and others do. A template without them means a model that would call something for any question.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

FunctionCalling = Literal["off", "auto", "on"]
_TOOLS = re.compile(r"\{[{%][^}%]*\btools\b")


def knows_functions(folder: Path) -> bool:
    """Say whether the chat template in a model's folder takes tools."""
    return any(_TOOLS.search(template) for template in _templates(folder))


def may_call(way: FunctionCalling, folder: Path) -> bool:
    """Say whether a model may call functions: as the setting says, `auto` leaves it to `knows_functions`."""
    return way == "on" or (way == "auto" and knows_functions(folder))


def why(way: FunctionCalling, model: str, folder: Path | None) -> str:
    """Return whether, and why, a model calls functions, as people are told it."""
    if way == "off":
        return "off: the setting function_calling says so"
    if way == "on":
        return f"on: the setting function_calling says so, whatever is known of {model}"
    if folder is None:
        return f"auto: {model} is not on this machine yet, so that it is not known whether it can"
    if knows_functions(folder):
        return f"auto, on: the chat template of {model} takes tools"
    return f"auto, off: the chat template of {model} takes no tools, so it was not made to call functions"


def _templates(folder: Path) -> list[str]:
    found = [path.read_text(encoding="utf-8") for path in folder.glob("**/*.jinja")]
    try:
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return found
    written = config.get("chat_template")
    if isinstance(written, str):
        found.append(written)
    elif isinstance(written, list):  # several, each with its name
        found += [str(each.get("template", "")) for each in written if isinstance(each, dict)]
    return found
