"""How a document is cut: the strategy and its sizes, checked and in a form that an index can keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What each strategy depends on: an index made with others of these has other chunks.
_USES: dict[str, tuple[str, ...]] = {
    "structure": ("max_tokens", "overlap_sentences"),
    "fixed": ("max_tokens", "overlap_sentences"),
    "sentence_window": ("max_tokens", "window_sentences", "parent_tokens"),
    "parent_child": ("max_tokens", "child_tokens", "parent_tokens"),
}
STRATEGIES = tuple(_USES)
_LEAST = {
    "max_tokens": 8,
    "overlap_sentences": 0,
    "window_sentences": 0,
    "child_tokens": 4,
    "parent_tokens": 8,
}


@dataclass(frozen=True, slots=True)
class Chunking:
    """A strategy and its sizes, all in tokens of the embedder.

    - `structure`: by headings, pages, blocks, sentences.
    - `fixed`: windows of one size whatever stands in them, the baseline that the others have to beat.
    - `sentence_window`: a chunk is a sentence; the sentences around it are shown.
    - `parent_child`: a chunk is a small piece; the larger piece that it is a part of is shown.

    Attributes:
        strategy: one of `STRATEGIES`.
        max_tokens: longest text that is embedded, the title and headings before it included.
        overlap_sentences: sentences repeated where `structure` cuts a paragraph; a `fixed` window repeats
            about a tenth of its size for each, a fifth at most.
        window_sentences: sentences shown before and after the one that was found.
        child_tokens: longest piece that `parent_child` searches, without its headings.
        parent_tokens: longest text shown in place of a chunk; no embedder limits it.

    Raises:
        ValueError: a value is unknown or out of range; one line that names it.
    """

    strategy: str = "structure"
    max_tokens: int = 224
    overlap_sentences: int = 1
    window_sentences: int = 3
    child_tokens: int = 96
    parent_tokens: int = 900

    def __post_init__(self) -> None:
        if self.strategy not in _USES:
            raise ValueError(f"chunking strategy '{self.strategy}' is none of {', '.join(STRATEGIES)}")
        for field, least in _LEAST.items():
            if getattr(self, field) < least:
                raise ValueError(f"{field} must be at least {least}, not {getattr(self, field)}")
        if self.strategy == "parent_child" and self.parent_tokens < self.piece_tokens:
            raise ValueError(
                f"parent_tokens must be at least child_tokens ({self.piece_tokens}), not {self.parent_tokens}"
            )

    @property
    def piece_tokens(self) -> int:
        """The longest child: `child_tokens`, or less where the embedder takes less."""
        return min(self.child_tokens, self.max_tokens)

    @property
    def name(self) -> str:
        """The strategy with the sizes it depends on, as a person reads it."""
        sizes = (f"{field}={getattr(self, field)}" for field in _USES[self.strategy])
        return f"{self.strategy} {' '.join(sizes)}"

    def as_dict(self) -> dict[str, str | int]:
        """Return what the chunks depend on: two that give equal dictionaries cut alike."""
        return {
            "strategy": self.strategy,
            **{field: getattr(self, field) for field in _USES[self.strategy]},
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Chunking:
        """Return what `as_dict` was taken of; sizes that it leaves out have their defaults.

        Raises:
            ValueError: a key is unknown or a value is wrong.
        """
        unknown = sorted(set(stored) - {"strategy", *_LEAST})
        if unknown:
            raise ValueError(f"a chunking has no {', '.join(unknown)}")
        return cls(**stored)
