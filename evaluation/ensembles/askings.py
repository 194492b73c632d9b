"""Questions of a set as an ensemble is fitted to them and measured by them, with what an answer is worth."""

from __future__ import annotations

from collections.abc import Sequence
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
            partial(worth_of, item),
            float(not item.answerable),
            item.where,
            partial(f1_of, item) if item.answerable and item.answers else None,
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

    Of an answerable question it is 1 where the answer holds an expected one whole, however long it is, else the token
    F1 with the nearest; without texts to compare with, whether the class is named, or the share of the expected places
    that are cited. Of another question it is whether it was refused.
    """
    if not item.answerable:
        return refused(answer)
    scores = answer_scores(item, answer)
    for names in (("f1", "contains"), ("label_right",), ("citation_recall",)):
        told = [score for name in names if (score := scores.get(name)) is not None]
        if told:
            return max(told)
    return float(not answer.refused)


def f1_of(item: Item, answer: Answer) -> float:
    """Return the token F1 of an answer with the nearest expected one, 0 for a refusal."""
    return answer_scores(item, answer).get("f1") or 0.0
