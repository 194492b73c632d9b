"""What the settings cost: read from `setting_costs.toml`, the one place where it is said."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

CostOf = Literal["memory", "disk", "seconds", "quality", "safety"]
_FILE = Path(__file__).with_name("setting_costs.toml")


class Cost(BaseModel):
    """What a setting costs: of what, and how, in each language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    of: tuple[CostOf, ...] = Field(min_length=1)
    en: str = Field(min_length=1)
    ja: str = Field(min_length=1)

    def said(self, language: str) -> str:
        """Return it in a language ("ja", or English for any other)."""
        return self.ja if language == "ja" else self.en


class Costs(BaseModel):
    """The settings that cost something, by name, and the names of those that cost nothing."""

    model_config = ConfigDict(frozen=True)

    free: tuple[str, ...]
    costs: Mapping[str, Cost]


@cache
def setting_costs() -> Costs:
    """Read what the settings cost."""
    held = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return Costs(free=held.pop("free"), costs=held)
