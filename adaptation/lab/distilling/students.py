"""The student: some of its teacher's layers, or a model of its own. Importing this imports torch and transformers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaptation.lab.pruning.parts import keep_layers
from adaptation.lab.pruning.prune import dtype_of, load
from kernel.chat.adapters import vocabulary_of
from retrieval.errors import UsageError


@dataclass(frozen=True, slots=True)
class Student:
    """A student before it learns.

    Attributes:
        make: gives it anew, each time the same.
        folder: that its tokenizer is in.
        name: what it was made of.
        reaches: for each of its layers, which of the teacher's hidden states it should come to.
        dtype: that its folder holds it in.
    """

    make: Callable[[], Any]
    folder: Path
    name: str
    reaches: tuple[int, ...]
    dtype: Any


def spread_layers(layers: int, kept: int) -> list[int]:
    """Return which layers of so many a student begins with: the first and the last, and others evenly between.

    Source: Sanh et al., DistilBERT, 2019, which takes every second.
    """
    if kept == 1:
        return [0]
    return [round(place * (layers - 1) / (kept - 1)) for place in range(kept)]


def student_of(teacher: Path, share: float) -> Student:
    """Return a student with a share of its teacher's layers, their weights and all else.

    Raises:
        UsageError: the teacher has one layer.
    """
    count = int(_config(teacher).num_hidden_layers)
    if count < 2:
        raise UsageError(f"the teacher in {teacher} has one layer: name a --student")
    places = spread_layers(count, min(count - 1, max(1, round(share * count))))

    def make() -> Any:
        made = load(teacher)
        keep_layers(made, places)
        return made

    name = f"{len(places)} of {count} layers of {teacher.name}"
    return Student(make, teacher, name, (*places[1:], count), dtype_of(teacher))


def student_in(folder: Path, teacher: Path, way: str) -> Student:
    """Return a model of its own as the student.

    Raises:
        UsageError: it has other words than its teacher, or states of another width, and the way compares them.
    """
    if way != "sequences" and vocabulary_of(folder) != vocabulary_of(teacher):
        raise UsageError(
            f"the student in {folder} has other words than its teacher in {teacher}, so that predictions cannot be "
            "compared: --way sequences teaches it by what the teacher writes"
        )
    own, above = _config(folder), _config(teacher)
    if way == "hidden" and int(own.hidden_size) != int(above.hidden_size):
        raise UsageError(
            f"the student's hidden states have {int(own.hidden_size)} values and its teacher's "
            f"{int(above.hidden_size)}: --way logits compares predictions alone"
        )
    layers, of_teacher = int(own.num_hidden_layers), int(above.num_hidden_layers)
    reaches = tuple(round((place + 1) * of_teacher / layers) for place in range(layers))
    return Student(lambda: load(folder), folder, folder.name, reaches, dtype_of(folder))


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, local_files_only=True)


def common_words(first: Any, second: Any) -> int:
    """Return how many predictions two models share; some have rows beyond their words, for the hardware's sake."""
    return min(int(first.config.vocab_size), int(second.config.vocab_size))


__all__ = ["Student", "common_words", "spread_layers", "student_in", "student_of"]
