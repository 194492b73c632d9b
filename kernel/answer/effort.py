"""How an answer ended, what it took, and where one that was stored comes from."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

from pydantic import Field

from kernel.answer.frozen import FrozenModel


class FinishReason(StrEnum):
    """Why an answer ended: `repetition` is a model that went round in circles, `timeout` one that took too long."""

    STOP = "stop"
    LENGTH = "length"
    REPETITION = "repetition"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    REFUSED = "refused"


class Usage(FrozenModel):
    """Tokens by the generating model's own tokenizer, of all that it was given and wrote for this question.

    Those of a draft count too where what is shown quotes the documents instead; without a draft there are none.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = Field(
        default=0, description="what a stored answer had taken, prompt and draft together"
    )
    passages_used: int = 0
    passages_omitted: int = 0
    cost: float | None = Field(
        default=None,
        description="what the tokens cost by price_in and price_out of the variants that wrote, in their currency; "
        "null where none of them has a price, and of a stored answer",
    )


def total_cost(costs: Iterable[float | None]) -> float | None:
    """Return the sum of those costs that are known; None where none is."""
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 9) if known else None


class CacheHit(FrozenModel):
    """Where a stored answer comes from."""

    hit: Literal["exact", "semantic"] = Field(
        description="`exact`: the same question; `semantic`: one that asks the same in other words"
    )
    question: str = Field(description="the question that was answered")
    age_seconds: float


class TraceStep(FrozenModel):
    """A step of the work on a question, with the steps within it."""

    name: str
    start_ms: float = Field(description="since the question came in")
    ms: float
    notes: dict[str, str | int | float | bool | list[str]] = Field(default={})
    error: str = Field(default="", description="class of the error that ended it")
    prompt: list[dict[str, str]] | None = Field(
        default=None, description="messages that the model was given, each of `role` and `content`"
    )
    steps: list[TraceStep] = Field(default=[])
