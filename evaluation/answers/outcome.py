"""One question asked of one variant: what came back, and what it is worth. A line of a run file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from kernel.answer import Answer, Citation, Usage


class Outcome(BaseModel):
    """A question with its answer.

    Attributes:
        id: of the question.
        run: who answered and how, such as `base/zero_shot`.
        answer: the text, with its markers.
        short_answer: the span of the first quote that alone would do.
        variant: who wrote the answer in the end, which is `extractive` where a draft was given up.
        scores: by the names of `evaluation.answers.metrics`; None where one cannot be told.
        cpu_seconds: processor time of all threads.
        error: why there is no answer.
        grade: what the judge said.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    run: str
    answer: str = ""
    short_answer: str | None = None
    refused: bool = False
    confidence: float = 0.0
    citations: list[Citation] = []
    unsupported: list[str] = []
    variant: str = ""
    usage: Usage = Usage()
    timings_ms: dict[str, float] = {}
    cpu_seconds: float = 0.0
    scores: dict[str, float | None] = {}
    error: str | None = None
    grade: str | None = None

    @classmethod
    def of(cls, item_id: str, run: str, answer: Answer, cpu_seconds: float) -> Outcome:
        """Return the outcome of an answer, without its scores."""
        return cls(
            id=item_id,
            run=run,
            answer=answer.answer,
            short_answer=short_text(answer),
            refused=answer.refused,
            confidence=answer.confidence,
            citations=answer.citations,
            unsupported=answer.unsupported,
            variant=answer.variant,
            usage=answer.usage,
            timings_ms=answer.timings_ms,
            cpu_seconds=cpu_seconds,
        )


def short_text(answer: Answer) -> str | None:
    """Return the text of the short answer, where there is one."""
    return answer.short_answer.text if answer.short_answer else None
