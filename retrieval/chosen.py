"""A row that was chosen to be shown, with the span that is shown for it."""

from __future__ import annotations

from dataclasses import dataclass

from retrieval.stores.interface import Hit

Span = tuple[int, int, int]
"""A document's id, and where in its text the span begins and ends."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A row to show with the span that is shown for it. `also_in` are other documents with the same text."""

    hit: Hit
    span: Span
    rows: tuple[int, ...]
    also_in: tuple[str, ...] = ()

    @property
    def is_wider(self) -> bool:
        """Whether more is shown than the row's own text."""
        return bool(self.hit.data.get("shown")) or len(self.rows) > 1
