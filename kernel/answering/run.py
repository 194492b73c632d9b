"""An answer in the making: what is known of it so far, and the answer that is made of it in the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from kernel.answer import Answer, AnswerPassage, Citation, FinishReason, FunctionCall, Technique, Usage
from kernel.answering.ranking import Ranking
from retrieval.records import Passage


class PromptCounter(Protocol):
    """Counts the tokens of a chat as the model will see it."""

    def count(self, messages: Sequence[dict[str, str]]) -> int:
        """Return the exact number of tokens of the prompt."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Who generates: a service of the kernel, with what it can do. `counter` is None without a tokenizer.

    `calls_functions` says that it was made to, or that the settings say so.
    """

    name: str
    languages: frozenset[str] | None = None
    model: str = ""
    counter: PromptCounter | None = None
    calls_functions: bool = False

    def speaks(self, *languages: str) -> bool:
        """Say whether the variant speaks all of several languages; None speaks any."""
        return self.languages is None or self.languages.issuperset(languages)


class Clock:
    """The time of each stage, in milliseconds."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.note(stage, time.perf_counter() - started)

    def note(self, stage: str, seconds: float) -> None:
        """Note the time of a stage that was measured elsewhere."""
        self._stages[stage] = round(1000 * seconds, 1)

    def timings(self) -> dict[str, float]:
        """Return the stages and the total so far, in milliseconds."""
        return {**self._stages, "total": round(1000 * (time.perf_counter() - self._started), 1)}


@dataclass(slots=True)
class Run:
    """What is known of an answer so far."""

    question: str
    language: str
    technique: Technique
    variant: Variant
    passages: list[Passage]
    ranking: Ranking
    confidence: float
    notices: list[str]
    clock: Clock
    used: frozenset[int] = frozenset()
    pieces: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    functions: list[FunctionCall] = field(default_factory=list)
    """Functions that were called; their results are shown to the model beside the passages."""
    computed: list[FunctionCall] = field(default_factory=list)
    """Those of them whose arguments were not made up: what they gave supports sentences, as passages do."""
    results: str = ""
    """The results as the prompt shows them."""

    def answer(
        self,
        *,
        text: str,
        finish_reason: FinishReason,
        reasoning: str | None,
        refused: bool = False,
        citations: Sequence[Citation] = (),
        unsupported: Sequence[str] = (),
    ) -> Answer:
        """Return the answer with a text and its citations."""
        return Answer(
            question=self.question,
            answer=text,
            refused=refused,
            confidence=round(self.confidence, 4),
            citations=list(citations),
            unsupported=list(unsupported),
            variant=self.variant.name,
            technique=self.technique.value,
            language=self.language,
            reasoning=reasoning,
            notices=list(self.notices),
            functions=list(self.functions),
            passages=shown_passages(self.passages, self.used),
            usage=Usage(
                prompt_tokens=self.metadata.get("prompt_tokens", 0),
                completion_tokens=self.metadata.get("completion_tokens", 0),
                passages_used=len(self.used),
                passages_omitted=len(self.passages) - len(self.used),
            ),
            finish_reason=finish_reason,
            timings_ms=self.clock.timings(),
        )


def shown_passages(passages: Sequence[Passage], used: frozenset[int]) -> list[AnswerPassage]:
    """Return passages as an answer shows them; `used` are the indexes of those in the prompt."""
    return [
        AnswerPassage(
            id=passage.id,
            document=passage.document,
            title=passage.title,
            page=passage.page,
            text=passage.text,
            score=round(passage.score, 6),
            headings=list(passage.headings),
            start=passage.start,
            end=passage.end,
            used=number in used,
            also_in=list(passage.also_in),
        )
        for number, passage in enumerate(passages)
    ]
