"""A function that can be called, whoever it is of, and what an attachment offers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from retrieval.errors import TekioError

CallFunction = Callable[[Mapping[str, Any]], Awaitable[str]]
MOST_NAME = 64
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")


class FunctionFailedError(TekioError):
    """A function gave no result: it took too long, its server is gone, refused, or said what is of no use."""


@dataclass(frozen=True, slots=True)
class OfferedFunction:
    """A function with its bounds.

    Attributes:
        plugin: the plugin that it is of.
        name: its name within that plugin.
        description: what it does, as its author says.
        parameters: the JSON Schema of its arguments, an object.
        call: calls it with arguments that fit the schema, and returns its result as text.
        seconds: the longest time for a call.
        characters: the longest result; more is cut.
        is_own: it is of this program, computes and does nothing else.
    """

    plugin: str
    name: str
    description: str
    parameters: Mapping[str, Any]
    call: CallFunction
    seconds: float
    characters: int
    is_own: bool = False

    @property
    def full_name(self) -> str:
        """The name by which it is called, which no other function has."""
        return f"{self.plugin}-{self.name}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What an attachment gave when it was asked: functions that are allowed, and the names of the others."""

    functions: Sequence[OfferedFunction]
    others: Sequence[str] = ()
    unusable: Mapping[str, str] = field(default_factory=dict)


def plain_name(name: str) -> str:
    """Return a function's name in the letters that Semantic Kernel and models take."""
    return _NOT_IN_NAMES.sub("_", name).strip("_")[:MOST_NAME] or "function"


def cut(text: str, characters: int) -> str:
    """Return a result within its bound, saying so where it was cut."""
    text = text.strip()
    return text if len(text) <= characters else f"{text[:characters]}… (cut at {characters:,} characters)"
