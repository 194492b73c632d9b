"""How likely it is that the passages hold the answer: a small logistic model over what retrieval measured.

The coefficients are data (`answerability.json`), fitted by `python -m evaluation.calibrate` on questions that
are used for nothing else. Below its threshold an answer is a refusal, before any model could invent one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from kernel.answering.claims.values import find_values, is_among
from kernel.answering.expected import candidates, expected_of
from kernel.answering.ranking import Ranking
from kernel.answering.reading import Reading
from kernel.answering.support import weighted_share
from retrieval.analysis import detect_language
from retrieval.records import Passage, context_of

MODEL_FILE = Path(__file__).with_name("answerability.json")
_NEAR = 3  # passages that are looked at together
_LOOKED_AT = 40
"""The best sentences, in which a value of the kind that is asked for is looked for."""
_MOST_SUPPORT = 15.0
"""A margin beyond this, either way, says no more than this."""
_NO_VALUE = 0.03
"""What is lacking where no sentence holds such a value: as much as where one does that is quite another's, for the kind
that is asked for is told by rules, which may be wrong."""


@dataclass(frozen=True, slots=True)
class AnswerabilityModel:
    """Logistic regression over named features, and the probability below which an answer is refused."""

    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float
    threshold: float

    def probability(self, measured: Mapping[str, float]) -> float:
        """Return the estimated probability that the passages hold the answer."""
        total = self.intercept
        for name, mean, scale, weight in zip(self.features, self.mean, self.scale, self.weights, strict=True):
            # What was not measured, since there is no reading model, says nothing.
            total += weight * (measured.get(name, mean) - mean) / scale
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))

    @staticmethod
    def of(data: Mapping[str, Any]) -> AnswerabilityModel:
        """Return the model that plain values describe."""
        return AnswerabilityModel(
            features=tuple(data["features"]),
            mean=tuple(data["mean"]),
            scale=tuple(data["scale"]),
            weights=tuple(data["weights"]),
            intercept=data["intercept"],
            threshold=data["threshold"],
        )


@lru_cache(maxsize=4)
def load_model(path: Path = MODEL_FILE) -> AnswerabilityModel:
    """Read a fitted model."""
    return AnswerabilityModel.of(json.loads(path.read_text(encoding="utf-8")))


def measure(
    question: str, passages: Sequence[Passage], ranking: Ranking, readings: Sequence[Reading] | None = None
) -> dict[str, float]:
    """Return the features of a question with its passages, each a plain number.

    `similarity` of the best passage; `lead`, by how much that is above the others' mean; `draft_support`, by how much
    the best span that was read is likelier than that no passage holds the answer; `sentence_interaction` of the best
    sentence; `joint_coverage` of the question's words by the best passages together; `missing_figure`, the share of the
    figures and part numbers that were asked about and that they lack; `missing_code`, whether the passage of the best
    sentence lacks a part number; `wrong_kind`, by how much the best sentence with a value of the kind that is asked for
    is worse than the best of all; `other_language`, whether the best passage is not in the question's language.
    """
    words, weights = ranking.question_words, ranking.weights
    held: frozenset[str] = frozenset().union(*ranking.passage_words[:_NEAR])
    figures = [word.text for word in words if word.has_digit]
    lacking = [figure for figure in figures if figure not in held]
    best = max((item.interaction for item in ranking.sentences), default=0.0)
    languages = {detect_language(text) for text in (question, *(passage.text for passage in passages[:1]))}
    similarities = sorted((passage.similarity for passage in passages), reverse=True)
    others = similarities[1:]
    measured = {
        "similarity": similarities[0] if similarities else 0.0,
        "lead": similarities[0] - sum(others) / len(others) if others else 0.0,
        "sentence_interaction": best,
        "joint_coverage": weighted_share([word.text for word in words], held, weights),
        "missing_figure": len(lacking) / len(figures) if figures else 0.0,
        "missing_code": float(_lacks_code(question, passages, ranking)),
        "wrong_kind": _wrong_kind(question, ranking, best),
        "other_language": float(len(languages) > 1),
    }
    if readings is not None:
        margin = max((reading.margin for reading in readings), default=-_MOST_SUPPORT)
        measured["draft_support"] = max(-_MOST_SUPPORT, min(_MOST_SUPPORT, margin))
    return measured


def _lacks_code(question: str, passages: Sequence[Passage], ranking: Ranking) -> bool:
    codes = [value for value in find_values(question) if value.kind == "code"]
    if not codes or not ranking.sentences:
        return False
    passage = passages[ranking.sentences[0].sentence.passage]
    held = find_values(f"{context_of(passage.title, passage.headings)}\n{passage.text}")
    return any(not is_among(code, held) for code in codes)


def _wrong_kind(question: str, ranking: Ranking, best: float) -> float:
    """Return what the best sentence that could answer lacks to the best of all, at most `_NO_VALUE`."""
    expected = expected_of(question)
    if expected is None or not ranking.sentences:
        return 0.0
    of_kind = [
        item.interaction
        for item in ranking.sentences[:_LOOKED_AT]
        if next(candidates(item.sentence.text, question, expected), None) is not None
    ]
    return min(_NO_VALUE, best - max(of_kind, default=best - _NO_VALUE))
