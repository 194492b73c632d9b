"""Questions that bring their passages, as a reading model learns from them, and two such models compared by them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adaptation.span_reader.examples import Asked
from evaluation.answers.items import QuestionSet
from evaluation.answers.reading import read_questions
from evaluation.answers.sampling import chosen_items
from evaluation.answers.texts import token_f1
from kernel.answering.reading import SpanReader
from kernel.comparison import RESAMPLES, before_and_after
from retrieval.errors import TekioError, UsageError

_WATCHED = 10
"""One document in so many is kept out of training, to see how it goes."""
_SEED = 20261130
_AT_ONCE = 50
"""Questions that one model reads before the other reads them: speeds are taken in turns."""


@dataclass(frozen=True, slots=True)
class ReaderSets:
    """What is learned from, what is held out of it by documents, and what is measured on: parts of no document two."""

    learned: list[Asked]
    held: list[Asked]
    measured: dict[str, list[Asked]]


def asked_of(
    whole: QuestionSet, *, fold: str | None, sample: int | None = None, seed: int = 0
) -> list[Asked]:
    """Return the questions of a set, each with the text that answers it and the others of its document.

    Args:
        whole: the set, with its passages.
        fold: a part of its documents.
        sample: how many questions to draw.
        seed: of the draw.
    """
    texts = {document.id: document.text for document in whole.pool}
    titles: dict[str, list[str]] = {}
    for document in whole.pool:
        titles.setdefault(document.title, []).append(document.id)
    of = {name: names for names in titles.values() for name in names}
    found = []
    for item in chosen_items(whole.items, fold=fold, sample=sample, seed=seed):
        if item.answers and len(item.places) == 1:
            ((name, _),) = item.places
            if name not in texts:
                continue
            others = [
                texts[other]
                for other in of[name]
                if other != name and not any(answer in texts[other] for answer in item.answers)
            ]
            found.append(
                Asked(item.question, item.answers, texts[name], item.language, item.group, tuple(others))
            )
    return found


def watched_groups(asked: Sequence[Asked]) -> set[str]:
    """Return the documents of a set that are kept out of training: a tenth, the same each time."""
    groups = sorted(
        {each.group for each in asked}, key=lambda group: hashlib.sha256(group.encode()).hexdigest()
    )
    return set(groups[: -(-len(groups) // _WATCHED)])


def reader_sets(
    parted: Sequence[Path], whole: Sequence[Path], *, fold: str, measured_fold: str, sample: int
) -> ReaderSets:
    """Read sets: of `parted` one fold is learned and another measured on, of `whole` all is learned.

    Raises:
        UsageError: a set cannot be read, or brings no passages that answer its questions.
    """
    learned: list[Asked] = []
    held: list[Asked] = []
    measured: dict[str, list[Asked]] = {}
    for path, part in [*((path, fold) for path in parted), *((path, None) for path in whole)]:
        found = read_questions(path)
        asked = asked_of(found, fold=part)
        if not asked:
            raise UsageError(
                f"{path} brings no passages that answer its questions: give a set in the form of BEIR or SQuAD"
            )
        kept_out = watched_groups(asked)
        learned += [each for each in asked if each.group not in kept_out]
        held += [each for each in asked if each.group in kept_out]
        if part is not None and sample:
            apart = asked_of(found, fold=measured_fold, sample=sample)
            if apart:
                measured.setdefault(found.name, []).extend(apart)
    return ReaderSets(learned, held, measured)


def compare_readers(
    before: SpanReader,
    after: SpanReader,
    asked: Sequence[Asked],
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """Have two models read the right passages of questions, in turns; return what the second keeps, and how fast.

    Returns:
        `f1`, token F1 of both as `before_and_after` has it; `kept`, the share of it, with `kept_interval` by resampled
        questions; `times_as_fast`; `questions`.

    Raises:
        TekioError: one cannot be loaded.
    """
    scores: tuple[list[float], list[float]] = ([], [])
    seconds = [0.0, 0.0]
    for reader in (before, after):
        _read(reader, asked[0])
    for start in range(0, len(asked), _AT_ONCE):
        for place, reader in enumerate((before, after)):
            began = clock()
            found = [_read(reader, each) for each in asked[start : start + _AT_ONCE]]
            seconds[place] += clock() - began
            scores[place].extend(
                token_f1(text, each.answers, each.language)
                for text, each in zip(found, asked[start : start + _AT_ONCE], strict=True)
            )
    one, other = np.array(scores[0]), np.array(scores[1])
    drawn = np.random.default_rng(_SEED).integers(0, len(one), (RESAMPLES, len(one)))
    shares = other[drawn].mean(axis=1) / np.maximum(one[drawn].mean(axis=1), 1e-9)
    low, high = np.quantile(shares, [0.025, 0.975])
    return {
        "questions": len(asked),
        "f1": before_and_after(one, other),
        "kept": float(other.mean() / max(one.mean(), 1e-9)),
        "kept_interval": (float(low), float(high)),
        "times_as_fast": seconds[0] / seconds[1] if seconds[1] else 0.0,
    }


def _read(reader: SpanReader, each: Asked) -> str:
    found = reader.read(each.question, [each.text])
    if found is None:
        raise TekioError("a reading model could not be loaded, so nothing was measured")
    return each.text[found[0].start : found[0].end] if found else ""


__all__ = ["ReaderSets", "asked_of", "compare_readers", "reader_sets", "watched_groups"]
