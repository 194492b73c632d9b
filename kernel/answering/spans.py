"""The words of a sentence that alone answer a question, told without a reading model.

Every span that could be an answer is weighed by a linear model over what a rule can see: whether it is a date, a number
or a name where that is asked for, how it lies to the question's words, what stands around it. Of the likely spans the
one is taken whose expected overlap with the right one is the greatest. The weights are data (`spans.json`), fitted by
`python -m evaluation.fit_spans` on questions that are used for nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from kernel.answer import ShortAnswer
from kernel.answering.evidence import Sentence
from kernel.answering.expected import NAME, REASON, ROLE, candidates, expected_of
from kernel.answering.span_candidates import Floats, Spans
from kernel.answering.span_features import spans_of
from kernel.answering.span_questions import understood_question
from kernel.answering.span_words import Word, words_of
from retrieval.analysis import detect_language, normalize

MODEL_FILE = Path(__file__).with_name("spans.json")
_LIKELY = 40
_OF_KIND = 4.0
"""What a span gains that holds a figure of the kind that is asked for: enough to be taken before all others."""
_LONGEST = 2000
"""Characters of a question or a sentence that are looked at; a longer one has no short answer."""


def short_of(question: str, sentence: Sentence) -> ShortAnswer | None:
    """Return the short answer within a sentence of a passage, None where rules cannot tell it."""
    found = short_answer(question, sentence.text)
    if found is None:
        return None
    start, end = found
    return ShortAnswer(
        text=sentence.text[start:end],
        marker=sentence.passage + 1,
        start=sentence.start + start,
        end=sentence.start + end,
    )


def short_answer(question: str, sentence: str) -> tuple[int, int] | None:
    """Return the start and end of the words of a sentence that answer a question.

    None for a question of yes or no, of another language than the sentence, or of none that is known.
    """
    language = detect_language(question)
    if language not in ("ja", "en") or detect_language(sentence) != language:
        return None
    if max(len(question), len(sentence)) > _LONGEST:
        return None
    asking = understood_question(question, language)
    if asking is None:
        return None
    words = words_of(sentence, language)
    spans = spans_of(words, asking, language)
    if not len(spans):
        return None
    scores = span_scores(spans, load_weights()[language])
    chosen = choose_span(spans, scores + _OF_KIND * _holds_kind(question, sentence, words, spans))
    return words[spans.starts[chosen]].start, words[spans.ends[chosen] - 1].end


def _holds_kind(question: str, sentence: str, words: Sequence[Word], spans: Spans) -> Floats:
    """Return 1 for spans that hold a figure of the kind that the question asks for, shape (n,)."""
    held = np.zeros(len(spans))
    expected = expected_of(question)
    if expected is None or expected.kinds & {NAME, ROLE, REASON} or len(normalize(sentence)) != len(sentence):
        return held  # figures are found in the normalised text, whose places must be the sentence's own
    starts = np.array([words[place].start for place in spans.starts])
    ends = np.array([words[place - 1].end for place in spans.ends])
    for start, end in candidates(sentence, question, expected):
        held[(starts <= start) & (ends >= end)] = 1.0
    return held


def span_scores(spans: Spans, weights: Mapping[str, float]) -> Floats:
    """Return the log-odds of each span, up to a constant, shape (n,)."""
    total = np.zeros(len(spans))
    for name, values in spans.features.items():
        if weight := weights.get(name):
            total += weight * values
    return total


def choose_span(spans: Spans, scores: Floats) -> int:
    """Return the span whose expected F1 with the right one is the greatest, among the likely ones.

    Source: minimum Bayes risk decoding, Kumar and Byrne, NAACL 2004.
    """
    likely = np.argsort(-scores, kind="stable")[:_LIKELY]
    starts, ends = spans.starts[likely], spans.ends[likely]
    shared = np.minimum(ends[:, None], ends[None, :]) - np.maximum(starts[:, None], starts[None, :])
    length = ends - starts
    overlap = 2 * np.maximum(0, shared) / (length[:, None] + length[None, :])
    probability = np.exp(scores[likely] - scores[likely].max())
    return int(likely[int((overlap @ probability).argmax())])


@lru_cache(maxsize=4)
def load_weights(path: Path = MODEL_FILE) -> Mapping[str, Mapping[str, float]]:
    """Read the fitted weights: for each language those of the features by name."""
    found: Mapping[str, Mapping[str, float]] = json.loads(path.read_text("utf-8"))["weights"]
    return found
