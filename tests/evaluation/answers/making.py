"""Answers and questions made for these tests."""

from __future__ import annotations

from kernel.answer import Answer, AnswerPassage, Citation, FinishReason, ShortAnswer, Usage


def passage(
    document: str = "d", text: str = "The pump is oiled on Monday.", page: int | None = None
) -> AnswerPassage:
    return AnswerPassage(
        id=1, document=document, title="", page=page, text=text, score=1.0, start=0, end=len(text)
    )


def citation(document: str, start: int, end: int, *, page: int | None = None, marker: int = 1) -> Citation:
    return Citation(
        marker=marker, document=document, title="", page=page, start=start, end=end, quote="quoted", score=1.0
    )


def answer(
    text: str = "The pump is oiled on Monday [1].",
    *,
    refused: bool = False,
    citations: list[Citation] | None = None,
    unsupported: list[str] | None = None,
    short: str | None = None,
    passages: list[AnswerPassage] | None = None,
    language: str = "en",
) -> Answer:
    return Answer(
        question="When is the pump oiled?",
        answer=text,
        refused=refused,
        confidence=0.9,
        citations=citations or [],
        unsupported=unsupported or [],
        short_answer=None if short is None else ShortAnswer(text=short, marker=1, start=0, end=len(short)),
        variant="base",
        technique="zero_shot",
        language=language,
        passages=[passage()] if passages is None else passages,
        usage=Usage(prompt_tokens=10, completion_tokens=4, passages_used=1),
        finish_reason=FinishReason.STOP,
        timings_ms={"total": 20.0, "generate": 10.0},
    )
