"""What a policy knows of a question: a row of numbers, of the question and of what was found for it; no text."""

from __future__ import annotations

import math
from collections.abc import Mapping

from kernel.answering.expected import NAME, REASON, ROLE, expected_of

_OF_QUESTION = (
    "japanese",
    "characters",
    "digits",
    "asks_reason",
    "asks_name",
    "asks_time",
    "asks_figure",
)
MEASURED = (
    "similarity",
    "lead",
    "sentence_interaction",
    "joint_coverage",
    "missing_figure",
    "missing_code",
    "wrong_kind",
    "other_language",
    "draft_support",
    "confidence",
    "passages",
)
"""What retrieval measured, see `kernel.answering.answerability.measure`, the estimate, and how many were found."""
FEATURES = (*_OF_QUESTION, *MEASURED)
_TIMES = frozenset({"date", "clock", "time", "span"})


def features_of(question: str, language: str, measured: Mapping[str, float]) -> tuple[float, ...]:
    """Return the features of a question, in the order of `FEATURES`. What was not measured is 0.

    Args:
        question: what is asked.
        language: of the question.
        measured: see `MEASURED`.
    """
    expected = expected_of(question)
    kinds = expected.kinds if expected is not None else frozenset()
    named = kinds & {NAME, ROLE}
    timed = bool(kinds & _TIMES) and not named
    of_question = (
        language == "ja",
        math.log1p(len(question)),
        any(character.isdigit() for character in question),
        REASON in kinds,
        bool(named),
        timed,
        bool(kinds) and not timed and not named and REASON not in kinds,
    )
    return (*map(float, of_question), *(float(measured.get(name, 0.0)) for name in MEASURED))
