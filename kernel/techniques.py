"""How a prompt can be built, by name."""

from __future__ import annotations

from enum import StrEnum


class Technique(StrEnum):
    """How the prompt is built."""

    ZERO_SHOT = "zero_shot"
    ONE_SHOT = "one_shot"
    FEW_SHOT = "few_shot"
    CHAIN_OF_THOUGHT = "chain_of_thought"
    HYBRID = "hybrid"


class NamedTechnique(str):
    """A technique that is a folder of the reader's own, used where one of `Technique` is."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """Its name."""
        return str(self)


STEPPED = (Technique.CHAIN_OF_THOUGHT, Technique.HYBRID)
"""The techniques that write steps before the answer."""


def technique_of(name: str) -> Technique | NamedTechnique:
    """Return a technique by its name, which was checked."""
    return Technique(name) if name in list(Technique) else NamedTechnique(name)
