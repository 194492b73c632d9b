"""A question of a conversation, and what it was asked with, as the page knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from kernel.answer import Answer, PipelineReport
from kernel.conversations import kept_answer
from plugins.memory.conversations import KeptTurn


@dataclass(frozen=True, slots=True)
class How:
    """What a question is asked with, beside its text; None leaves it to the facade."""

    variant: str | None = None
    technique: str | None = None
    top_k: int | None = None
    where: tuple[str, ...] = ()
    samples: int = 1
    trace: bool = False


@dataclass
class Turn:
    """A question and what became of it: an answer, an error, or a draft cut short."""

    question: str
    draft: str = ""
    answer: Answer | None = None
    error: str = ""
    said: str = ""
    """What became of what the person said of the answer."""
    rated: str = ""
    """What the person said of the answer: `up`, `down`, `keep` or `corrected`."""
    blind: bool = False
    """Whether two variants are compared, so that it is not shown which one answered."""
    number: int | None = None
    """Of the turn in the store; None while it is not there."""
    stage: str = ""
    """`searching`, `reading`, `writing` or `stopping` while it is on its way."""
    reading: int = 0
    """How many passages were found."""
    how: How = field(default_factory=How)
    steps: PipelineReport | None = None
    """What the steps of a pipeline gave before one failed, so that there is no answer."""

    def kept(self) -> dict[str, Any]:
        """Return what is kept of it beside the answer."""
        steps = {"steps": self.steps.model_dump(mode="json")} if self.steps else {}
        return {"how": asdict(self.how), "blind": self.blind, "error": self.error, **steps}


def turn_of(kept: KeptTurn) -> Turn:
    """Return a turn as the store has it."""
    answer, data = kept_answer(kept), kept.data
    turn = Turn(
        kept.turn.question,
        draft=str(data.get("draft") or ("" if answer else kept.turn.answer)),
        answer=answer,
        error=str(data.get("error") or ""),
        blind=bool(data.get("blind")),
        number=kept.id,
    )
    turn.how = _how(data.get("how"))
    turn.steps = _steps(data.get("steps"))
    return turn


def _how(data: object) -> How:
    if not isinstance(data, Mapping):
        return How()
    known = {
        name: data[name] for name in ("variant", "technique", "top_k", "samples", "trace") if name in data
    }
    try:
        return How(where=tuple(data.get("where") or ()), **known)
    except TypeError:
        return How()


def _steps(data: object) -> PipelineReport | None:
    try:
        return PipelineReport.model_validate(data) if data else None
    except ValueError:  # of another Tekio
        return None
