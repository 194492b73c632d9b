"""Every question of a file asked, and what came back compared with what is expected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.metrics import Share, reciprocal_rank, share
from evaluation.questions import Question, folded
from kernel.answer import Answer
from kernel.app import Tekio
from kernel.variant_names import EXTRACTIVE

HIT_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """A question with its answer. `rank` is that of the first passage from the expected document and page."""

    question: Question
    answer: Answer
    rank: int | None
    resolved: bool

    @property
    def cites_expected(self) -> bool:
        """Say whether one of the citations is the expected document and page."""
        wanted = self.question.document, self.question.page
        return any((citation.document, citation.page) == wanted for citation in self.answer.citations)

    @property
    def contains_answer(self) -> bool:
        """Say whether the text of the answer holds the expected one."""
        return bool(self.question.answer) and folded(self.question.answer) in folded(self.answer.answer)


@dataclass(frozen=True, slots=True)
class Figures:
    """What the README prints. Shares of citations are over the answerable questions, refused ones included."""

    hit: Share
    mean_reciprocal_rank: float
    cited: Share
    cited_when_answered: Share
    contained: Share
    resolved: Share
    refused_unanswerable: Share
    refused_answerable: Share
    own_words: Share
    tokens_per_second: float | None
    seconds_per_question: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: value.as_dict() if isinstance(value, Share) else value for name, value in values.items()
        }

    def lines(self) -> list[str]:
        """Return the figures as lines of text."""
        speed = "-" if self.tokens_per_second is None else f"{self.tokens_per_second:.1f}"
        return [
            f"retrieval: expected document and page among the first {HIT_DEPTH}   {self.hit}",
            f"retrieval: mean reciprocal rank                          {self.mean_reciprocal_rank:.3f}",
            f"answerable: cites the expected document and page         {self.cited}",
            f"  the same, of those that were answered                  {self.cited_when_answered}",
            f"answerable: the answer holds the expected text           {self.contained}",
            f"citations that resolve to the very text of the document  {self.resolved}",
            f"unanswerable: refused (never refusing gives 0)           {self.refused_unanswerable}",
            f"answerable: refused, wrongly                             {self.refused_answerable}",
            f"answers in a language model's own words, not quoted      {self.own_words}",
            f"language model: tokens generated per second              {speed}",
            f"seconds per question                                     {self.seconds_per_question:.2f}",
        ]


async def ask_all(
    tekio: Tekio,
    questions: Sequence[Question],
    *,
    variant: str | None = None,
    technique: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Outcome]:
    """Ask every question; each alone, in order."""
    outcomes = []
    for number, question in enumerate(questions, start=1):
        answer = await tekio.ask(
            question.question,
            variant=variant,
            technique=technique,
            top_k=HIT_DEPTH,
            cache=False,
            memory=False,
        )
        places = [(passage.document, passage.page) for passage in answer.passages]
        wanted = question.document, question.page
        rank = places.index(wanted) + 1 if wanted in places else None
        outcomes.append(Outcome(question, answer, rank, all(_resolves(tekio, answer))))
        if on_progress is not None:
            on_progress(number, len(questions))
    return outcomes


def _resolves(tekio: Tekio, answer: Answer) -> list[bool]:
    """Say of each citation whether its span of its document is its quote."""
    return [
        tekio.quote(answer.passages[citation.marker - 1].id, citation.start, citation.end) == citation.quote
        for citation in answer.citations
    ]


def figures(outcomes: Sequence[Outcome]) -> Figures:
    """Sum up the outcomes."""
    answerable = [item for item in outcomes if item.question.answerable]
    unanswerable = [item for item in outcomes if not item.question.answerable]
    answered = [item for item in answerable if not item.answer.refused]
    generated = [item.answer for item in outcomes if item.answer.usage.completion_tokens]
    seconds = sum(answer.timings_ms.get("generate", 0.0) for answer in generated) / 1000
    tokens = sum(answer.usage.completion_tokens for answer in generated)
    total = sum(item.answer.timings_ms["total"] for item in outcomes) / 1000
    return Figures(
        hit=share([item.rank is not None for item in answerable]),
        mean_reciprocal_rank=reciprocal_rank([item.rank for item in answerable]),
        cited=share([item.cites_expected for item in answerable]),
        cited_when_answered=share([item.cites_expected for item in answered]),
        contained=share([item.contains_answer for item in answerable]),
        resolved=share([item.resolved for item in outcomes if item.answer.citations]),
        refused_unanswerable=share([item.answer.refused for item in unanswerable]),
        refused_answerable=share([item.answer.refused for item in answerable]),
        own_words=share([item.answer.variant != EXTRACTIVE for item in outcomes if not item.answer.refused]),
        tokens_per_second=tokens / seconds if seconds else None,
        seconds_per_question=total / len(outcomes) if outcomes else 0.0,
    )


def rows(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return each question with its outcome, for a report."""
    return [
        {
            "id": item.question.id,
            "question": item.question.question,
            "expected": item.question.answer,
            "answerable": item.question.answerable,
            "answer": item.answer.answer,
            "refused": item.answer.refused,
            "confidence": item.answer.confidence,
            "variant": item.answer.variant,
            "rank": item.rank,
            "cites_expected": item.cites_expected,
            "contains_answer": item.contains_answer,
            "citations": [
                {"document": citation.document, "page": citation.page, "quote": citation.quote}
                for citation in item.answer.citations
            ],
        }
        for item in outcomes
    ]
