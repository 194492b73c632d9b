"""No variant asks itself by way of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter


def check_acyclic(members: Mapping[str, Sequence[str]]) -> None:
    """Check that no composed variant asks itself by way of others.

    Args:
        members: the variants that each composed variant asks.

    Raises:
        ValueError: one does; names the way round.
    """
    try:
        TopologicalSorter(members).prepare()
    except CycleError as error:
        raise ValueError(f"they ask each other in a circle: {' > '.join(error.args[1])}") from error
