"""Paths of the settings in which `~` is the user's home."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

HomePath = Annotated[Path, AfterValidator(Path.expanduser)]
