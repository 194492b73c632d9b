"""Answers of an ensemble, a pipeline and a policy, as the ways in get them."""

from __future__ import annotations

from kernel.answer import (
    Answer,
    EnsembleReport,
    MemberAnswer,
    PipelineReport,
    PipelineStep,
    PolicyReport,
)
from tests.ui.conftest import make_answer

HOSTILE = "<script>window.harmed = 1</script> ![x](http://evil.example/p.png) :material/home: \x1b[31m$x^2$"


def ensemble_answer(
    *, tie: bool = False, text: str = "It lasts 24 months.", language: str = "en", rule: str = "majority"
) -> Answer:
    """Five members: two agree and one of them was taken, one says else, one refused, one failed; one was not asked."""
    members = [
        MemberAnswer(
            variant="extractive",
            technique="zero_shot",
            answer=text,
            confidence=0.72,
            weight=0.5,
            score=0.814,
            group=1,
            chosen=True,
            cached=True,
            ms=1200,
        ),
        MemberAnswer(
            variant="base",
            technique="zero_shot",
            answer="It lasts 36 months.",
            confidence=0.5,
            weight=1,
            group=2,
            prompt_tokens=120,
            completion_tokens=30,
            ms=800,
        ),
        MemberAnswer(variant="base", technique="few_shot", answer="24 months.", weight=2, group=1, ms=900),
        MemberAnswer(
            variant="far", technique="zero_shot", answer="Not in the documents.", refused=True, group=3
        ),
        MemberAnswer(variant="slow", technique="zero_shot", error="it took longer than 5 s"),
    ]
    report = EnsembleReport(
        rule=rule,
        members=members,
        not_asked=["big"],
        tie=["It lasts 24 months.", "It lasts 36 months."] if tie else [],
        explanation="The most say 24 months.",
    )
    return _answer(language).model_copy(update={"variant": "panel", "ensemble": report})


def pipeline_answer(*, failed: bool = False, language: str = "en") -> Answer:
    """Four steps, or two of which the second failed."""
    steps = [
        PipelineStep(
            name="to-english",
            kind="translate",
            variant="base",
            type="text",
            output="How long?",
            notices=["The text was read in 2 pieces."],
            prompt_tokens=40,
            completion_tokens=5,
            ms=700,
        ),
        PipelineStep(
            name="mood",
            kind="classify",
            variant="base",
            type=None if failed else "label",
            output=None if failed else "calm",
            scores=None if failed else {"angry": 0.1, "calm": 0.9},
            error="it gave no label" if failed else "",
        ),
        PipelineStep(
            name="ask", kind="answer", type="answer", output={"answer": "24 months.", "variant": "base"}
        ),
        PipelineStep(name="own", kind="stamp", type="object", output={"months": 24}),
    ]
    report = PipelineReport(steps=steps[: 2 if failed else 4])
    return _answer(language).model_copy(update={"variant": "round", "pipeline": report})


def policy_answer(*, language: str = "en") -> Answer:
    """A policy chose another than the usual."""
    report = PolicyReport(
        variant="base",
        technique="few_shot",
        temperature=0.3,
        top_k=4,
        probability=0.85,
        default=True,
        reason="It did best with short questions.",
    )
    return _answer(language).model_copy(update={"variant": "chooser", "policy": report})


def _answer(language: str) -> Answer:
    return make_answer(language=language)
