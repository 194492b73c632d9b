"""Which variants of the settings are composed, and how each is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kernel.composed.composition import Composition
from kernel.policies.composition import Measure
from kernel.policies.making import make_policy
from kernel.policies.rewards import Rating
from kernel.settings import Settings
from retrieval.errors import UsageError


def compose(
    name: str,
    settings: Settings,
    *,
    measure: Measure,
    feedback: Callable[[], Sequence[Rating]],
) -> Composition:
    """Return how a composed variant of the settings makes its answers. Loads no model.

    Args:
        name: of the variant.
        settings: name its members.
        measure: measures a question before it is answered.
        feedback: gives what people said of answers. Blocks.

    Raises:
        UsageError: what it was fitted to cannot be read, or does not fit the settings.
    """
    if name in settings.policies:
        return make_policy(name, settings, measure=measure, feedback=feedback)
    raise UsageError(f"there is no variant '{name}'")
