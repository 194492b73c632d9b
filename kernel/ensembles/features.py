"""What a fitted ensemble knows of each candidate answer, as figures.

Of all candidates one is taken, so what is the same for all of them, such as the kind of the question, can tell only
when to refuse: such features are 0 for answers that are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log1p

import numpy as np
from numpy.typing import NDArray

from kernel.answer import Answer
from kernel.ensembles.kinds import KINDS, kind_of_question
from kernel.ensembles.voices import Voice, agreement_of, support_of, sureness_of

_OF_ANSWERS = (
    "refused",
    "own",
    "confidence",
    "support",
    "sureness",
    "unsupported",
    "citations",
    "citation_agreement",
    "answer_agreement",
    "length",
    "margin",
    "log_probability",
    "log_probability_unknown",
)
_OF_REFUSALS = ("refused_confidence", "refused_agreement", "refused_support", "refused_margin")
_MOST_CITATIONS = 4
_LEAST_LOG_PROBABILITY, _USUAL_LOG_PROBABILITY = -5.0, -0.5


def feature_names(members: Sequence[str]) -> list[str]:
    """Return the names of the features of a candidate of an ensemble with these members, in their order."""
    return [
        *_OF_ANSWERS,
        *_OF_REFUSALS,
        *(f"refused_{kind}" for kind in KINDS),
        *(f"member:{name}" for name in members),
    ]


def features_of(
    voices: Sequence[Voice], groups: Sequence[int], question: str, members: Sequence[str]
) -> NDArray[np.float64]:
    """Return the features of candidates, shape (n, d), in the order of `feature_names`."""
    answered = [voice for voice in voices if not voice.answer.refused]
    supported = float(np.mean([support_of(voice.answer) for voice in answered])) if answered else 0.0
    kind = kind_of_question(question)
    rows = []
    for voice, group in zip(voices, groups, strict=True):
        answer = voice.answer
        refused = float(answer.refused)
        written = 1.0 - refused
        agreed = (sum(other == group for other in groups) - 1) / max(1, len(groups) - 1)
        sentences = len(answer.citations) + len(answer.unsupported)
        row = [
            refused,
            float(voice.is_own),
            written * answer.confidence,
            written * support_of(answer),
            written * sureness_of(answer),
            written * len(answer.unsupported) / max(1, sentences),
            written * min(_MOST_CITATIONS, len(answer.citations)) / _MOST_CITATIONS,
            written * agreement_of(voice, voices),
            written * agreed,
            written * log1p(len(answer.answer)),
            written * margin_of(answer),
            written * _log_probability_of(answer),
            written * float(answer.log_probability is None),
            refused * answer.confidence,
            refused * agreed,
            refused * supported,
            refused * margin_of(answer),
            *(refused * float(each == kind) for each in KINDS),
            *(float(place == voice.member) for place in range(len(members))),
        ]
        rows.append(row)
    return np.array(rows, np.float64).reshape(len(voices), len(feature_names(members)))


def margin_of(answer: Answer) -> float:
    """Return how far the first passage is before the second, as a share of its score, 0 to 1."""
    if len(answer.passages) < 2 or answer.passages[0].score <= 0:
        return 0.0
    first, second = answer.passages[0].score, answer.passages[1].score
    return min(1.0, max(0.0, (first - second) / first))


def _log_probability_of(answer: Answer) -> float:
    told = answer.log_probability
    return _USUAL_LOG_PROBABILITY if told is None else max(_LEAST_LOG_PROBABILITY, told)
