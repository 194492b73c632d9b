"""Fit the weights of short answers: `python -m evaluation.fit_spans JSQUAD XQUAD`.

Works on a part of the documents of sets in the form of BEIR with answers, fold 2/2, whose questions are reported
nowhere: figures are of fold 1/2. For each language a linear model over the features of `kernel.answering.span_features`
is fitted such that the expected token F1 of the span is the greatest; how strongly weights are held near zero is chosen
by cross-validation over documents. Written to kernel/answering/spans.json, with what cross-validation says.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.answers.items import Item
from evaluation.answers.reading import read_questions
from evaluation.answers.sampling import chosen_items
from evaluation.answers.texts import f1, words
from ingest.sentences import split_sentences
from kernel.answering.span_candidates import Spans
from kernel.answering.span_features import spans_of
from kernel.answering.span_questions import understood_question
from kernel.answering.span_words import words_of
from kernel.answering.spans import MODEL_FILE, choose_span
from retrieval.errors import TekioError

FOLD = "2/2"
_PARTS = 5
_STRENGTHS = (0.0003, 0.001)
_WARM = 60
_STEPS = 60
_OTHERS = 80
"""Spans of each example, beside the best ones, by which is fitted."""


Objective = Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]


@dataclass(frozen=True, slots=True)
class Example:
    """A question with the spans of the sentence that holds its answer, and the F1 of each."""

    group: str
    spans: Spans
    matrix: NDArray[np.float32]
    worth: NDArray[np.float32]


def examples_of(items: Sequence[Item], texts: dict[str, str]) -> tuple[list[Example], list[str]]:
    """Return the examples of one language, and the names of the features."""
    found: list[Example] = []
    names: list[str] = []
    for item in items:
        sentence = _sentence(item, texts)
        asking = understood_question(item.question, item.language)
        if sentence is None or asking is None:
            continue
        own = words_of(sentence, item.language)
        spans = spans_of(own, asking, item.language)
        if not len(spans):
            continue
        golds = [words(answer, item.language) for answer in item.answers]
        worth = [
            max(f1(words(sentence[own[i].start : own[j - 1].end], item.language), gold) for gold in golds)
            for i, j in zip(spans.starts, spans.ends, strict=True)
        ]
        names = names or list(spans.features)
        matrix = np.stack([spans.features[name] for name in names], axis=1).astype(np.float32)
        found.append(Example(item.group, spans, matrix, np.array(worth, np.float32)))
    return found, names


def _sentence(item: Item, texts: dict[str, str]) -> str | None:
    """Return the sentence that holds an answer and the most of the question's words."""
    ((document, _),) = item.places
    text, asked = texts[document], set(words(item.question, item.language))
    holding = [
        text[start:end]
        for start, end in split_sentences(text)
        if any(answer in text[start:end] for answer in item.answers)
    ]
    return max(holding, key=lambda one: len(asked & set(words(one, item.language))), default=None)


@dataclass(frozen=True)
class Stack:
    """Examples below each other: all rows, where each example begins, and how many rows it has."""

    matrix: NDArray[np.float32]
    worth: NDArray[np.float32]
    best: NDArray[np.float32]
    begins: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @staticmethod
    def of(examples: Sequence[Example]) -> Stack:
        """Put examples together, each with its best spans and some of the others by chance."""
        rows = [_drawn(example, np.random.default_rng(number)) for number, example in enumerate(examples)]
        worths = [example.worth[chosen] for example, chosen in zip(examples, rows, strict=True)]
        sizes = np.array([len(worth) for worth in worths])
        return Stack(
            np.concatenate([example.matrix[chosen] for example, chosen in zip(examples, rows, strict=True)]),
            np.concatenate(worths),
            np.concatenate([(worth >= worth.max() - 1e-6).astype(np.float32) for worth in worths]),
            np.concatenate([[0], np.cumsum(sizes)[:-1]]),
            sizes,
        )

    def shares(self, weights: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return how likely each span is among those of its example."""
        scores = self.matrix @ weights.astype(np.float32)
        highest = np.repeat(np.maximum.reduceat(scores, self.begins), self.sizes)
        likely = np.exp(scores - highest)
        return np.asarray(likely / np.repeat(np.add.reduceat(likely, self.begins), self.sizes), np.float32)

    def unlikeliness(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the mean of minus the log-likelihood of the best spans, and its gradient."""
        shares = self.shares(weights)
        right = np.add.reduceat(shares * self.best, self.begins) + 1e-9
        slope = shares - shares * self.best / np.repeat(right, self.sizes)
        return float(-np.log(right).mean()), self._gradient(slope)

    def missed(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the mean of minus the expected F1, and its gradient."""
        shares = self.shares(weights)
        expected = np.add.reduceat(shares * self.worth, self.begins)
        slope = -shares * (self.worth - np.repeat(expected, self.sizes))
        return float(-expected.mean()), self._gradient(slope)

    def _gradient(self, slope: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(slope.astype(np.float32) @ self.matrix, np.float64) / len(self.sizes)


def fit(examples: Sequence[Example], strength: float) -> NDArray[np.float64]:
    """Return the weights that make the expected F1 greatest, less `strength` times their squares.

    It begins at the weights that make the best spans likeliest, since that has one summit.
    """
    from scipy.optimize import minimize

    stack = Stack.of(examples)
    weights = np.zeros(stack.matrix.shape[1])
    for objective, steps in ((stack.unlikeliness, _WARM), (stack.missed, _STEPS)):

        def penalised(
            at: NDArray[np.float64], objective: Objective = objective
        ) -> tuple[float, NDArray[np.float64]]:
            loss, gradient = objective(at)
            return loss + strength * float(at @ at), gradient + 2 * strength * at

        found = minimize(penalised, weights, jac=True, method="L-BFGS-B", options={"maxiter": steps})
        weights = np.asarray(found.x, np.float64)
    return weights


def _drawn(example: Example, random: np.random.Generator) -> NDArray[np.int64]:
    """Return the best spans of an example, and some of the others by chance."""
    best = np.flatnonzero(example.worth >= example.worth.max() - 1e-6)
    others = random.permutation(len(example.worth))[:_OTHERS]
    return np.union1d(best, others)


def score(examples: Sequence[Example], weights: NDArray[np.float64]) -> list[float]:
    """Return the F1 of the span that is chosen for each example."""
    return [
        float(example.worth[choose_span(example.spans, example.matrix @ weights)]) for example in examples
    ]


def cross_validated(examples: Sequence[Example], strength: float) -> float:
    """Return the mean F1 over documents that the weights were not fitted on."""
    groups = sorted({example.group for example in examples})
    parts = {group: number % _PARTS for number, group in enumerate(groups)}
    found: list[float] = []
    for part in range(_PARTS):
        inside = [example for example in examples if parts[example.group] != part]
        outside = [example for example in examples if parts[example.group] == part]
        found += score(outside, fit(inside, strength))
    return float(np.mean(found))


def main() -> int:
    """Fit, write, print."""
    parser = argparse.ArgumentParser(description="Fit the weights of short answers.")
    parser.add_argument("sets", nargs="+", type=Path, help="folders in the form of BEIR, with answers")
    parser.add_argument("--out", type=Path, default=MODEL_FILE)
    arguments = parser.parse_args()
    by_language: dict[str, list[Item]] = {}
    texts: dict[str, str] = {}
    try:
        for path in arguments.sets:
            whole = read_questions(path)
            texts |= {document.id: document.text for document in whole.pool}
            for item in chosen_items(whole.items, fold=FOLD):
                if item.answers and len(item.places) == 1:
                    by_language.setdefault(item.language, []).append(item)
    except TekioError as error:
        print(f"fit_spans: {error}", file=sys.stderr)
        return error.exit_code
    weights: dict[str, dict[str, float]] = {}
    report: dict[str, Any] = {}
    for language, items in sorted(by_language.items()):
        examples, names = examples_of(items, texts)
        tried = {strength: cross_validated(examples, strength) for strength in _STRENGTHS}
        strength = max(tried, key=lambda one: tried[one])
        fitted = fit(examples, strength)
        weights[language] = {
            name: round(float(value), 3)
            for name, value in zip(names, fitted, strict=True)
            if abs(value) >= 0.0005
        }
        report[language] = {
            "questions": len(examples),
            "strength": strength,
            "f1_cross_validated": round(tried[strength], 3),
            "f1_fitted": round(float(np.mean(score(examples, fitted))), 3),
            "f1_best_span": round(float(np.mean([example.worth.max() for example in examples])), 3),
        }
        print(language, report[language], {key: round(value, 3) for key, value in tried.items()})
    whole_file = {"cross_validated": report, "weights": weights}
    arguments.out.write_text(json.dumps(whole_file, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
