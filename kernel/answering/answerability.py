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

import numpy as np

from kernel.answering.ranking import Ranking, coverage
from retrieval.records import Passage

MODEL_FILE = Path(__file__).with_name("answerability.json")
_NEAR = 3  # passages that are looked at together


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
            total += weight * (measured[name] - mean) / scale
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))


@lru_cache(maxsize=4)
def load_model(path: Path = MODEL_FILE) -> AnswerabilityModel:
    """Read a fitted model."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return AnswerabilityModel(
        features=tuple(data["features"]),
        mean=tuple(data["mean"]),
        scale=tuple(data["scale"]),
        weights=tuple(data["weights"]),
        intercept=data["intercept"],
        threshold=data["threshold"],
    )


def measure(passages: Sequence[Passage], ranking: Ranking) -> dict[str, float]:
    """Return the features of a question with its passages, each a plain number."""
    words, weights = ranking.question_words, ranking.weights
    near = ranking.passage_words[:_NEAR]
    together: frozenset[str] = frozenset().union(*near) if near else frozenset()
    best = ranking.sentences[0] if ranking.sentences else None
    missing = [weights.get(word.text, 1.0) for word in words if word.text not in together]
    heaviest = max((weights.get(word.text, 1.0) for word in words), default=1.0)
    similarities = sorted((passage.similarity for passage in passages), reverse=True)
    rows = ranking.interaction
    matched = rows.max(axis=0) if rows.size else np.zeros(1)
    return {
        "similarity": similarities[0] if similarities else 0.0,
        "similarity_gap": similarities[0] - similarities[-1] if similarities else 0.0,
        "passage_coverage": max((coverage(words, held, weights) for held in near), default=0.0),
        "joint_coverage": coverage(words, together, weights),
        "sentence_score": best.score if best else 0.0,
        "sentence_coverage": max((item.coverage for item in ranking.sentences), default=0.0),
        "sentence_interaction": max((item.interaction for item in ranking.sentences), default=0.0),
        "weakest_word": float(np.quantile(matched, 0.1)),
        "mean_word": float(matched.mean()),
        "missing_share": len(missing) / len(words) if words else 1.0,
        "missing_rarity": max(missing, default=0.0) / heaviest if heaviest else 0.0,
        "missing_figure": float(any(word.has_digit and word.text not in together for word in words)),
        "words": min(len(words), 12) / 12,
    }
