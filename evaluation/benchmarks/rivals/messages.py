"""What goes between the run and the process of a system: one JSON object a line, each way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evaluation.benchmarks.rivals.catalog import Model


@dataclass(frozen=True, slots=True)
class Task:
    """The first line to a process: the embedder, where the index goes, and (id, title, text) of each document."""

    model: Model
    folder: str
    documents: list[list[str]]

    @staticmethod
    def of(fields: dict[str, Any]) -> Task:
        """Return the task that a line of JSON holds."""
        return Task(Model(**fields["model"]), fields["folder"], fields["documents"])


@dataclass(frozen=True, slots=True)
class Ingested:
    """The first line from it. `disk_mib` is 0 where the system keeps nothing."""

    about: str
    seconds: float
    cpu_seconds: float
    disk_mib: float


@dataclass(frozen=True, slots=True)
class Answers:
    """The line after each line of queries: a ranking and the seconds of each, and the most memory so far.

    `cpu_seconds` are those of all threads, for the whole line.
    """

    rankings: list[list[tuple[str, float]]]
    seconds: list[float]
    cpu_seconds: float
    peak_mib: float

    @staticmethod
    def of(fields: dict[str, Any]) -> Answers:
        """Return the answers that a line of JSON holds."""
        rankings = [[(str(name), float(score)) for name, score in ranking] for ranking in fields["rankings"]]
        return Answers(rankings, fields["seconds"], fields["cpu_seconds"], fields["peak_mib"])
