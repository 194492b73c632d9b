"""What goes between the run and the process of a system: one JSON object a line, each way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Task:
    """The first line to a process: the folder of the embedder, where the index goes, and (id, title, text) of each."""

    model: str
    folder: str
    documents: list[list[str]]


@dataclass(frozen=True, slots=True)
class Ingested:
    """The first line from it. `disk_mib` is 0 where the system keeps nothing."""

    about: str
    seconds: float
    disk_mib: float


@dataclass(frozen=True, slots=True)
class Answers:
    """The line after each line of queries: a ranking and the seconds for each, and the most memory so far."""

    rankings: list[list[tuple[str, float]]]
    seconds: list[float]
    peak_mib: float

    @staticmethod
    def of(fields: dict[str, Any]) -> Answers:
        """Return the answers that a line of JSON holds."""
        rankings = [[(str(name), float(score)) for name, score in ranking] for ranking in fields["rankings"]]
        return Answers(rankings, fields["seconds"], fields["peak_mib"])
