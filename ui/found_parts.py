"""The pieces in which it is told how an answer was found."""

from __future__ import annotations

from dataclasses import dataclass

_MOST_TEXT = 4000
"""Characters of an answer or an output that are shown."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A member, or a step."""

    name: str
    detail: str
    """How it was asked; what kind of step it is."""
    text: str = ""
    """What it answered or gave."""
    facts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What the reader should know of it."""
    error: str = ""
    """Why it gave nothing, in words."""
    chosen: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """Entries that belong together: members that say the same, the steps of a pipeline."""

    title: str
    entries: tuple[Entry, ...] = ()
    notes: tuple[str, ...] = ()
    """What is to be known of all of them; each may have several lines."""
    is_vote: bool = False
    """Whether its entries answer the same question as those of other such sections, so that they can be compared."""

    @property
    def notes_first(self) -> bool:
        """Whether the notes are of all that follows, rather than of how the entries ended."""
        return self.is_vote or not self.entries


def cut(text: str) -> str:
    """Return a text as far as it is shown."""
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"
