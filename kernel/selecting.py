"""How passages are chosen from a ranking, by the settings and by what a request says."""

from __future__ import annotations

from kernel.settings import Settings
from retrieval.selection import Selection


def selection_of(
    settings: Settings, *, diversity: float | None = None, merge: bool | None = None
) -> Selection:
    """Return how passages are chosen from a ranking; arguments that are None take the settings'.

    Raises:
        UsageError: the diversity is out of range.
    """
    return Selection(
        collapse=settings.collapse_copies,
        diversity=settings.diversity if diversity is None else diversity,
        merge=settings.merge_neighbours if merge is None else merge,
    )
