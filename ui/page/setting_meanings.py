"""What the settings mean in Japanese: read from `setting_meanings.toml`. In English their own descriptions say it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("setting_meanings.toml")


def meaning(name: str, language: str) -> str:
    """Return what a setting means in a language other than English; empty where only its description says it."""
    return japanese_meanings().get(name, "") if language == "ja" else ""


@cache
def japanese_meanings() -> Mapping[str, str]:
    """Read what the settings mean, by name."""
    held: dict[str, str] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return held
