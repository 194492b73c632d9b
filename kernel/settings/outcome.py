"""What becomes of answers: kept and given again, traced, counted, refused."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from kernel.settings.home import HomePath


class Outcome(BaseModel, frozen=True):
    """Stored answers, traces, figures, and the bound of refusals."""

    answer_cache: bool = Field(
        True, description="keep answers, and give them again where nothing that they rest on has changed"
    )
    answers: HomePath | None = Field(
        None, description="folder of the stored answers; unset: that of the index, or .tekio/answers"
    )
    answer_cache_mb: int = Field(
        64, ge=1, le=100_000, description="most that the stored answers take; those used longest ago go first"
    )
    similar_questions: float = Field(
        0.0,
        ge=0,
        le=1,
        description="cosine from which a stored answer to a question in other words is given, and marked; 0: never",
    )
    passage_cache: int = Field(
        256, ge=0, le=100_000, description="searches whose passages a process keeps; 0: none"
    )
    trace: Literal["", "console", "otlp"] = Field(
        "", description="where the steps of questions are sent: console, otlp (OTEL_* variables) or empty"
    )
    trace_content: bool = Field(False, description="put questions, prompts and drafts into what is sent")
    prometheus: bool = Field(False, description="offer figures of the API at /metrics")
    min_confidence: float | None = Field(
        None, ge=0, le=1, description="below this an answer is refused; unset takes the calibrated value"
    )
