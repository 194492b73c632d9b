"""Shares with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binomtest


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many, with the 95 % Wilson interval."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        """The share, 0 to 1; 0 of nothing is 0."""
        return self.hits / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson score interval."""
        if not self.total:
            return 0.0, 1.0
        found = binomtest(self.hits, self.total).proportion_ci(0.95, method="wilson")
        return float(found.low), float(found.high)

    def as_dict(self) -> dict[str, object]:
        """Return the share for JSON."""
        return {"hits": self.hits, "total": self.total, "value": self.value, "interval": list(self.interval)}

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.hits} of {self.total} = {self.value:.3f} [{low:.3f}, {high:.3f}]"


def share(flags: Sequence[bool]) -> Share:
    """Count the true ones."""
    return Share(sum(flags), len(flags))


def reciprocal_rank(ranks: Sequence[int | None]) -> float:
    """Return the mean of 1 / rank; None, for not found, counts as 0."""
    return sum(1 / rank for rank in ranks if rank) / len(ranks) if ranks else 0.0
