"""What each leg of the search is worth on an index, learned from its own passages without any labels.

Of a sample of passages a part is made a question: a sentence of which every other word is left out, so that words
alone do not settle it. Each leg and each set of weights is judged by where the passage comes back. The usual
weights stay unless others are better beyond chance; so a leg that does not understand the language of an index
loses its weight, and nothing is changed on a whim.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis import analyze, normalize
from retrieval.markup import without_markup

Floats = NDArray[np.float32]

_SENTENCE = re.compile(r"(?<=[.!?])\s+|[。！？\n]+")
_SHORTEST = 20  # characters of a sentence
_STEPS = (0.0, 0.5, 1.0, 2.0)
"""What the usual weights are tried multiplied by."""
_SURE = 2.0
"""Standard errors by which other weights must be better than the usual ones."""
_WORTH = 0.02
"""What they must gain at least in mean reciprocal rank; made-up questions favour words a little."""
LEAST_QUESTIONS = 30
"""Fewer questions tell nothing."""


@dataclass(frozen=True)
class Trial:
    """One question: the legs' scores of the same candidates, and the place of the right one among them."""

    legs: Mapping[str, Floats]
    right: int


def pseudo_question(text: str, *, random: int) -> str:
    """Return a question that a text answers: every other word of one of its sentences; empty when it has none.

    Args:
        text: of a passage.
        random: chooses the sentence, and with which word to begin.
    """
    sentences = [part for part in _SENTENCE.split(without_markup(text)) if len(part.strip()) >= _SHORTEST]
    if not sentences:
        return ""
    sentence = normalize(sentences[random * 7919 % len(sentences)])
    words = [sentence[token.start : token.end] for token in analyze(sentence) if token.is_content]
    return " ".join(words[random % 2 :: 2])


def learn_weights(
    trials: Sequence[Trial], usual: Mapping[str, float]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the weights to use, and the mean reciprocal rank of each leg alone, of `usual` and of the weights.

    Args:
        trials: questions of one index and language.
        usual: weights of the legs, which stay unless others are surely better.
    """
    names = [name for name in usual if all(name in trial.legs for trial in trials)]
    before = dict(usual)
    if len(trials) < LEAST_QUESTIONS:
        return before, {}
    prepared = [(np.stack([trial.legs[name] for name in names]), trial.right) for trial in trials]

    def gains(weights: Sequence[float]) -> NDArray[np.float64]:
        return np.array(
            [_reciprocal(np.asarray(weights, np.float32) @ legs, right) for legs, right in prepared]
        )

    base = gains([usual[name] for name in names])
    best, best_gain = before, base
    for steps in itertools.product(_STEPS, repeat=len(names)):
        if not any(steps):
            continue
        weights = [step * usual[name] for step, name in zip(steps, names, strict=True)]
        gain = gains(weights)
        if gain.mean() > best_gain.mean():
            best, best_gain = dict(zip(names, weights, strict=True)), gain
    difference = best_gain - base
    error = float(difference.std()) / len(difference) ** 0.5
    if float(difference.mean()) <= max(_SURE * error, _WORTH):
        best, best_gain = before, base
    alone = {name: float(gains([float(name == other) for other in names]).mean()) for name in names}
    return best, alone | {"usual": float(base.mean()), "learned": float(best_gain.mean())}


def _reciprocal(scores: Floats, right: int) -> float:
    return 1.0 / (1 + int((scores > scores[right]).sum()))
