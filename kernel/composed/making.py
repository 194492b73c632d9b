"""Which variants of the settings are composed, and how each is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.composed.composition import Composition
from kernel.settings import Settings
from retrieval.errors import UsageError

if TYPE_CHECKING:
    from kernel.engine import Engine


def compose(name: str, settings: Settings, engine: Engine) -> Composition:
    """Return how a composed variant of the settings makes its answers. Loads no model.

    Raises:
        UsageError: what it was fitted to cannot be read, or does not fit the settings.
    """
    if name in settings.pipelines:
        from kernel.pipelines.composition import PipelineComposition  # its steps stand on the engine

        return PipelineComposition.of(engine.pipeline(name))
    raise UsageError(f"there is no variant '{name}'")
