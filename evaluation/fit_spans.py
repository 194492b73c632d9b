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
from collections.abc import Sequence
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
from kernel.answering.span_features import Spans, spans_of
from kernel.answering.span_questions import understood_question
from kernel.answering.span_words import words_of
from kernel.answering.spans import MODEL_FILE, choose_span
from retrieval.errors import TekioError

FOLD = "2/2"
_PARTS = 5
_STRENGTHS = (0.0003, 0.001, 0.003)
_STEPS = 240
_WARM = 100
_RATE = 0.05
_OTHERS = 80
"""Spans of each example, beside the best ones, by which is fitted."""


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


def fit(examples: Sequence[Example], strength: float) -> NDArray[np.float64]:
    """Return the weights that make the expected F1 greatest, less `strength` times their squares.

    The first steps go up the likelihood of the best spans instead, which has one summit.
    """
    import torch

    torch.manual_seed(0)
    chosen = [_drawn(example, np.random.default_rng(number)) for number, example in enumerate(examples)]
    pairs = list(zip(examples, chosen, strict=True))
    matrices = [torch.from_numpy(example.matrix[rows]) for example, rows in pairs]
    worths = [torch.from_numpy(example.worth[rows]) for example, rows in pairs]
    sizes = [len(worth) for worth in worths]
    everything = torch.cat(matrices)
    owner = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    worth = torch.cat(worths)
    best = torch.cat([(one >= one.max() - 1e-6).float() for one in worths])
    weights = torch.zeros(everything.shape[1], requires_grad=True)
    optimiser = torch.optim.Adam([weights], lr=_RATE)
    for step in range(_STEPS):
        scores = everything @ weights
        highest = torch.full((len(sizes),), -torch.inf).scatter_reduce(0, owner, scores, "amax").detach()
        likely = torch.exp(scores - highest[owner])
        total = torch.zeros(len(sizes)).index_add(0, owner, likely)
        shares = likely / total[owner]
        if step < _WARM:
            right = torch.zeros(len(sizes)).index_add(0, owner, shares * best)
            loss = -torch.log(right + 1e-9).mean()
        else:
            loss = -torch.zeros(len(sizes)).index_add(0, owner, shares * worth).mean()
        loss = loss + strength * (weights**2).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return np.asarray(weights.detach().numpy(), np.float64)


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
