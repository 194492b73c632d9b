"""Which variants of the settings are composed, and how each is made."""

from __future__ import annotations

from kernel.composed.composition import Composition
from kernel.settings import Settings
from retrieval.errors import UsageError


def compose(name: str, settings: Settings) -> Composition:
    """Return how a composed variant of the settings makes its answers. Loads no model.

    Raises:
        UsageError: what it was fitted to cannot be read, or does not fit the settings.
    """
    raise UsageError(f"there is no variant '{name}'")
