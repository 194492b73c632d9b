"""Questions of a set as an ensemble is fitted to them and measured by them, with what an answer is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from adaptation.ensembles.recording import Asking
from evaluation.answers.items import Item
from evaluation.answers.metrics import answer_scores
from kernel.answer import Answer

_LEFT_OUT = "without"


def askings_of(items: Sequence[Item], *, without_documents: bool = False) -> list[Asking]:
    """Return the questions to ask, each document's in one group.

    Args:
        items: of a set.
        without_documents: ask each answerable question once more over all documents but the expected ones, where a
            refusal is right.
    """
    found = [
        Asking(
            item.id,
            item.question,
            item.group or item.id,
            _worth(item),
            float(not item.answerable),
            item.where,
        )
        for item in items
    ]
    if without_documents:
        found += [
            Asking(
                f"{item.id}/{_LEFT_OUT}",
                item.question,
                item.group or item.id,
                refused,
                1.0,
                (*item.where, *(f"document!={document}" for document, _ in item.places)),
            )
            for item in items
            if item.answerable and item.places
        ]
    return found


def refused(answer: Answer) -> float:
    """Return what an answer is worth to a question that the documents do not answer: a refusal is right."""
    return float(answer.refused)


def worth_of(item: Item, answer: Answer) -> float:
    """Return what an answer is worth, 0 to 1.

    Of an answerable question it is the token F1 with the nearest expected answer, where there are texts to compare
    with, else whether the class is named, else the share of the expected places that are cited; of another whether it
    was refused.
    """
    if not item.answerable:
        return refused(answer)
    scores = answer_scores(item, answer)
    for name in ("f1", "label_right", "citation_recall"):
        if (score := scores.get(name)) is not None:
            return score
    return float(not answer.refused)


def _worth(item: Item) -> Callable[[Answer], float]:
    return partial(worth_of, item)
