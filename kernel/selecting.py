"""How passages are chosen from a ranking, by the settings and by what a request says."""

from __future__ import annotations

from kernel.answering.parts import MultiQuery, check_multi_query
from kernel.settings import Settings
from retrieval.selection import Selection


def selection_of(
    settings: Settings,
    *,
    diversity: float | None = None,
    merge: bool | None = None,
    parent: bool | None = None,
) -> Selection:
    """Return how passages are chosen from a ranking; arguments that are None take the settings'.

    Raises:
        UsageError: the diversity is out of range.
    """
    return Selection(
        collapse=settings.collapse_copies,
        diversity=settings.diversity if diversity is None else diversity,
        merge=settings.merge_neighbours if merge is None else merge,
        section=settings.parent_characters if (settings.show_parent if parent is None else parent) else 0,
    )


def multi_query_of(settings: Settings, given: str | None) -> MultiQuery:
    """Return how the parts of a question are found; None takes the setting.

    Raises:
        UsageError: there is no such way.
    """
    return settings.multi_query if given is None else check_multi_query(given)
