"""A question as it is answered."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.answer import NamedTechnique, Technique
from kernel.answering.parts import MultiQuery
from retrieval.access import Caller


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what was said with it, checked. `chosen` says that the variant was asked for by name."""

    question: str
    variant: str
    chosen: bool
    technique: Technique | NamedTechnique
    top_k: int
    language: str | None
    where: tuple[str, ...]
    multi_query: MultiQuery
    caller: Caller | None
    samples: int = 1
