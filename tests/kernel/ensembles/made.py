"""Answers as members give them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kernel.answer import Answer, AnswerPassage, Citation, FinishReason, Usage
from kernel.ensembles.settings import EnsembleSettings
from kernel.ensembles.voices import Voice

PASSAGES = [
    AnswerPassage(id=n, document=f"d{n}.md", title="", page=None, text="t", score=1 / n, start=0, end=1)
    for n in (1, 2, 3)
]


def answer(
    text: str = "",
    *,
    score: float = 0.9,
    cites: Sequence[int] = (1,),
    unsupported: int = 0,
    refused: bool = False,
    confidence: float = 0.8,
    variant: str = "base",
) -> Answer:
    citations = [
        Citation(
            marker=marker,
            document=f"d{marker}.md",
            title="",
            page=None,
            start=0,
            end=1,
            quote="t",
            score=score,
        )
        for marker in cites
    ]
    return Answer(
        question="q",
        answer="I don't know." if refused else text,
        refused=refused,
        confidence=confidence,
        citations=[] if refused else citations,
        unsupported=["x"] * unsupported,
        variant=variant,
        technique="zero_shot",
        language="en",
        passages=PASSAGES,
        usage=Usage(),
        finish_reason=FinishReason.STOP,
        timings_ms={},
    )


def voices(*answers: Answer) -> list[Voice]:
    return [Voice(place, each.variant, each) for place, each in enumerate(answers)]


def told(rule: str, count: int, **more: object) -> EnsembleSettings:
    members = [{"variant": f"m{place}"} for place in range(count)]
    return EnsembleSettings.model_validate({"rule": rule, "members": members} | more)


def no_vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    raise AssertionError("nothing is to be compared by vectors")
