"""What of a conversation and of what is remembered a question was asked with."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kernel.answer.frozen import FrozenModel


class AnswerMemory(FrozenModel):
    """Something remembered for whoever asks that fits the question. It is no source: nothing cites it."""

    id: str
    kind: Literal["fact", "answer"] = Field(description="a fact, or a question with its answer")
    text: str = Field(description="the fact, or the question that was asked then")
    answer: str = ""
    created: str = ""
    confirmed_at: str = Field(default="", description="when the user last said that it is right, ISO 8601")
    score: float = Field(description="by meaning, age and confirmations, 0 to 1")
    similarity: float = Field(description="by meaning alone, 0 to 1")
    in_prompt: bool = Field(default=False, description="true when the language model was shown it")
    offered: bool = Field(
        default=False, description="true for an answer that the user confirmed to the same question"
    )


class AnswerConversation(FrozenModel):
    """What was made of the turns before the question."""

    turns: int
    kept: int = Field(description="the newest turns, kept whole")
    summarized: int = Field(description="older turns that are in the summary")
    left_out: int = Field(description="the oldest turns, beyond the budget of the summary")
    tokens: int
    summary: str = ""
    rewritten_by: Literal["none", "rules", "model"] = "none"
