"""The refusal threshold fitted to an index: on labelled questions, or on questions made of its own passages.

With labelled ones the threshold is as high as the share of answerable questions that may be refused allows; each
answerable one is asked a second time with its document kept from the search, which makes one that cannot be answered.
With a hundred measurements and more the estimate itself is fitted too. Made-up questions are easier than people's,
since they hold words of their passage: they can lower the threshold and never raise it, and so tell whether the shipped
one is too high for documents of this kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from evaluation.calibrate import Row, collect, fit
from evaluation.metrics import Share, share
from evaluation.questions import Question
from kernel.answering.answerability import AnswerabilityModel
from kernel.app import Tekio
from retrieval.errors import UsageError
from retrieval.weights import pseudo_question

MADE = 100
LEAST = 20
"""Fewer answerable questions tell nothing of a share such as a tenth."""
_FITTED = 100
"""Measurements from which the estimate is fitted too, and of each kind at least a fifth."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted: on which questions, and what the threshold does to them."""

    source: str
    threshold: float
    before: float
    fitted: bool
    refused_answerable: Share
    refused_unanswerable: Share
    model: AnswerabilityModel

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON, and to be kept."""
        shares = {
            name: getattr(self, name).as_dict() for name in ("refused_answerable", "refused_unanswerable")
        }
        return {
            "source": self.source,
            "threshold": self.threshold,
            "before": self.before,
            "fitted": self.fitted,
            **shares,
            "model": asdict(self.model),
        }


def made_questions(tekio: Tekio, count: int = MADE) -> list[Question]:
    """Return questions that passages of the index answer, with the documents that these are of."""
    found = []
    for passage in tekio.sample_passages(count):
        if question := pseudo_question(passage.text, random=passage.id):
            found.append(
                Question(
                    id=f"made-{passage.id}",
                    language=passage.language,
                    question=question,
                    document=passage.document,
                    answerable=True,
                )
            )
    return found


async def calibrate(
    tekio: Tekio,
    questions: Sequence[Question] | None,
    *,
    refused_at_most: float,
    shipped: AnswerabilityModel,
    say: Callable[[str], None],
) -> Calibration:
    """Measure questions and choose the threshold.

    Args:
        tekio: over the index.
        questions: labelled; None makes some.
        refused_at_most: share of the answerable ones that may be refused.
        shipped: the model that comes with Tekio.
        say: is told how it goes.

    Raises:
        UsageError: there are too few answerable questions, or none that could not be answered.
    """
    made = questions is None
    asked = made_questions(tekio) if questions is None else list(questions)
    answerable = [item for item in asked if item.answerable]
    if len(answerable) < LEAST:
        raise UsageError(
            f"{len(answerable)} answerable questions are too few to calibrate by, {LEAST} are needed: "
            + ("ingest more text" if made else "add some, or leave --questions out")
        )
    say(f"measuring {len(asked)} questions")
    rows = await collect(tekio, asked)
    unanswerable = sum(not row.answerable for row in rows)
    if not unanswerable:
        raise UsageError(
            'no question cannot be answered: add some with "answerable": false, or name the documents of the others'
        )
    fitted = not made and len(rows) >= _FITTED and unanswerable >= len(rows) / 5
    model = (
        _fitted(rows, refused_at_most) if fitted else _moved(rows, shipped, refused_at_most, only_down=made)
    )
    estimates = [(row, model.probability(row.measured) < model.threshold) for row in rows]
    return Calibration(
        source="made-up questions" if made else "labelled questions",
        threshold=model.threshold,
        before=shipped.threshold,
        fitted=fitted,
        refused_answerable=share([refused for row, refused in estimates if row.answerable]),
        refused_unanswerable=share([refused for row, refused in estimates if not row.answerable]),
        model=model,
    )


def _moved(
    rows: Sequence[Row], shipped: AnswerabilityModel, at_most: float, *, only_down: bool
) -> AnswerabilityModel:
    estimates = [shipped.probability(row.measured) for row in rows if row.answerable]
    threshold = round(float(np.quantile(estimates, at_most)), 4)
    return replace(shipped, threshold=min(threshold, shipped.threshold) if only_down else threshold)


def _fitted(rows: Sequence[Row], at_most: float) -> AnswerabilityModel:
    return AnswerabilityModel.of(fit(rows, sorted(rows[0].measured), refused_at_most=at_most))
