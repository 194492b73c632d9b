"""The kinds of steps: what each takes and gives, and which parameters it has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

INPUT = "input"
"""The name of what a pipeline is given."""

MOST_CHARACTERS = 200_000
"""Of what a pipeline is given."""

ValueType = Literal["text", "answer", "label", "object", "list"]
"""What is handed from step to step: `answer` is one with its citations, `list` is of texts."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of steps.

    Attributes:
        takes: the types that its input may have.
        gives: the type of what it makes; None is that of its input.
        parameters: that it may have, beside its name, input and time.
        needed: parameters that it must have.
        several: whether it takes several inputs, one behind the other.
        writes: whether a language model has to write it; others go without one where `extractive` is named.
    """

    takes: tuple[ValueType, ...]
    gives: ValueType | None
    parameters: frozenset[str] = frozenset()
    needed: frozenset[str] = field(default_factory=frozenset)
    several: bool = True
    writes: bool = True


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


KINDS: dict[str, Kind] = {
    "translate": Kind(
        ("text", "answer", "list"),
        None,
        _names("variant anyway model prefix source to"),
        _names("to"),
        several=False,
    ),
    "answer": Kind(("text",), "answer", _names("variant technique top_k where"), several=False, writes=False),
    "summarise": Kind(("text", "answer", "list"), "text", _names("variant anyway length"), writes=False),
    "classify": Kind(
        ("text", "answer"), "label", _names("variant anyway labels examples"), _names("labels"), writes=False
    ),
    "extract": Kind(
        ("text", "answer", "list"),
        "object",
        _names("variant anyway json_schema take"),
        _names("json_schema"),
        writes=False,
    ),
    "prompt": Kind(
        ("text", "answer", "label", "object", "list"),
        "text",
        _names("variant anyway prompt"),
        _names("prompt"),
    ),
    "function": Kind(
        ("text", "label"),
        "text",
        _names("function argument arguments"),
        _names("function argument"),
        several=False,
        writes=False,
    ),
}
"""The kinds by their names."""
