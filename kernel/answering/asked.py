"""A question as it is answered."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.answer import Technique
from kernel.answering.parts import MultiQuery
from retrieval.access import Caller


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what was said with it, checked. `chosen` says that the variant was asked for by name."""

    question: str
    variant: str
    chosen: bool
    technique: Technique
    top_k: int
    language: str | None
    where: tuple[str, ...]
    multi_query: MultiQuery
    caller: Caller | None
    functions: bool | None = None
    """Whether functions may be called; None leaves it to the variant."""
