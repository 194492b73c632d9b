"""What every variant is that makes its answers of others' answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Protocol

from kernel.answer import AskEvent
from kernel.answering.asked import Asked
from retrieval.stages import Step

AskMember = Callable[[Asked, Step], AsyncGenerator[AskEvent, None]]
"""Answers a question by the variant that it names, as a stream like any other, with its steps within the one given.

Answers that are stored are taken from there; passages that were found for the same question are not searched for again.
"""


class Composition(Protocol):
    """How a variant makes its answers of others' answers. Holds nothing of a question."""

    @property
    def members(self) -> Sequence[str]:
        """The variants that may be asked."""

    @property
    def revision(self) -> str:
        """What changes with how answers are made, the members' own revisions left out."""

    @property
    def is_random(self) -> bool:
        """Whether the same question may get another answer the next time, so that none is stored."""

    def stream(self, asked: Asked, ask: AskMember, root: Step) -> AsyncGenerator[AskEvent, None]:
        """Answer a question as a stream of events; the last is the answer, with the variant's own name."""
