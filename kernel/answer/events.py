"""An answer as a stream of events."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kernel.answer.frozen import FrozenModel
from kernel.answer.sources import AnswerPassage
from kernel.answer.whole import Answer


class PassagesEvent(FrozenModel):
    """The passages were found; generation begins (or is refused)."""

    type: Literal["passages"] = "passages"
    passages: list[AnswerPassage]
    variant: str
    technique: str
    notices: list[str] = Field(default=[])


class TokenEvent(FrozenModel):
    """A piece of the draft as it is generated. The final answer may differ: it is checked, and then final."""

    type: Literal["token"] = "token"
    text: str


class AnswerEvent(FrozenModel):
    """The last event of every stream: the checked answer, with its `finish_reason`."""

    type: Literal["answer"] = "answer"
    answer: Answer


AskEvent = Annotated[PassagesEvent | TokenEvent | AnswerEvent, Field(discriminator="type")]
