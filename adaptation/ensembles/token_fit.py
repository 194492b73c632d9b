"""How weights of a mixture are fitted to answers that were read, and what they are worth on documents left out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptation.ensembles.mixing_fit import Expected, fit_weights, losses
from kernel.chat.paged.mixing import MixRule
from kernel.comparison import bootstrap_interval, compare
from kernel.ensembles.kinds import Kind
from retrieval.errors import UsageError

Floats = NDArray[np.float64]
_FOLDS = 5
_LEAST_ROWS, _LEAST_DOCUMENTS = 10, 2
_ROWS_OF_PRIOR = 10
"""Rows that the weights of all questions count for among those of a kind."""
_FIRM_DOCUMENTS = 10
"""Documents from which on intervals are over documents; with fewer they are over rows, and too narrow."""


@dataclass(frozen=True, slots=True)
class ReadRow:
    """What the members expect at each token of an answer."""

    document: str
    kind: Kind
    expected: Expected


@dataclass(frozen=True, slots=True)
class TokenFit:
    """Weights for all questions and for kinds, and what they are worth on documents that were left out."""

    weights: list[float]
    kinds: dict[Kind, list[float]]
    figures: dict[str, Any]

    def lines(self, members: Sequence[str]) -> list[str]:
        """Return the figures as a person reads them."""
        told = self.figures
        found = [
            f"{told['rows']:,} answers, {told['tokens']:,} tokens, {told['documents']:,} documents; loss in nats a "
            f"token on documents left out, with 95 % intervals over {told['intervals_over']}"
        ]
        for name, each in told["losses"].items():
            low, high = each["interval"]
            found.append(f"  {name:28s} {each['mean']:.4f}  [{low:.4f}, {high:.4f}]")
        for name, each in told["differences"].items():
            low, high = each["interval"]
            found.append(f"  {name:44s} {each['mean']:+.4f}  [{low:+.4f}, {high:+.4f}]")
        shown = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(members, self.weights, strict=True))
        found.append(f"weights: {shown}")
        for kind, weights in self.kinds.items():
            shown = ", ".join(f"{name} {each:.2f}" for name, each in zip(members, weights, strict=True))
            found.append(f"  for {kind}: {shown}")
        return found


def fit_token_weights(rule: MixRule, members: Sequence[str], rows: Sequence[ReadRow]) -> TokenFit:
    """Fit weights to all rows; their figures are of fits to the other documents, for each fifth of them.

    Kinds get weights of their own only where these are no worse on documents left out than one set for all.

    Raises:
        UsageError: there are too few rows, or all of them are of one document.
    """
    documents = sorted({row.document for row in rows})
    if len(rows) < _LEAST_ROWS or len(documents) < _LEAST_DOCUMENTS:
        raise UsageError(
            f"{len(rows)} answers of {len(documents)} documents are too few to fit weights to: at least {_LEAST_ROWS} "
            f"of {_LEAST_DOCUMENTS} are needed"
        )
    count = len(members)
    uniform = np.full(count, 1 / count)
    sets: dict[str, Floats] = {"uniform": np.zeros(len(rows)), "fitted": np.zeros(len(rows))}
    sets["fitted by kind"] = np.zeros(len(rows))
    sets |= {name: np.zeros(len(rows)) for name in members}
    fold_of = {document: number % _FOLDS for number, document in enumerate(_shuffled(documents))}
    for fold in range(min(_FOLDS, len(documents))):
        overall, kinds = _fitted(rule, [row for row in rows if fold_of[row.document] != fold], count)
        for place, row in enumerate(rows):
            if fold_of[row.document] != fold:
                continue
            tried = {"uniform": uniform, "fitted": overall, "fitted by kind": kinds.get(row.kind, overall)}
            tried |= {name: np.eye(count)[number] for number, name in enumerate(members)}
            for name, weights in tried.items():
                sets[name][place] = losses(rule, weights, row.expected).mean()
    overall, kinds = _fitted(rule, rows, count)
    by_kind = bool(sets["fitted by kind"].mean() <= sets["fitted"].mean())
    best = min(members, key=lambda name: sets[name].mean())
    over, values = _by_document(rows, sets)
    chosen = "fitted by kind" if by_kind else "fitted"
    figures = {
        "rows": len(rows),
        "tokens": sum(row.expected.tokens for row in rows),
        "documents": len(documents),
        "intervals_over": over,
        "best_member": best,
        "kept": chosen,
        "losses": {
            name: {"mean": float(each.mean()), "interval": list(bootstrap_interval(each))}
            for name, each in values.items()
        },
        "differences": {
            f"{chosen} less {name}": _difference(values[name], values[chosen])
            for name in dict.fromkeys(("uniform", best))
        },
    }
    return TokenFit(
        [round(float(each), 4) for each in overall],
        {kind: [round(float(each), 4) for each in weights] for kind, weights in kinds.items()}
        if by_kind
        else {},
        figures,
    )


def _fitted(rule: MixRule, rows: Sequence[ReadRow], members: int) -> tuple[Floats, dict[Kind, Floats]]:
    """Return the weights for all rows, and for each kind that there are rows of, held to those for all."""
    length = sum(row.expected.tokens for row in rows) / len(rows)
    uniform = np.full(members, 1 / members)
    overall = fit_weights(rule, [row.expected for row in rows], uniform, length)
    kinds = {
        kind: fit_weights(
            rule,
            [row.expected for row in rows if row.kind == kind],
            overall,
            _ROWS_OF_PRIOR * length,
        )
        for kind in sorted({row.kind for row in rows})
    }
    return overall, kinds


def _shuffled(documents: Sequence[str]) -> list[str]:
    """Return documents in an order that has nothing to do with their names, and is always the same."""
    return sorted(documents, key=lambda name: hashlib.sha256(name.encode()).digest())


def _by_document(rows: Sequence[ReadRow], sets: Mapping[str, Floats]) -> tuple[str, dict[str, Floats]]:
    documents = sorted({row.document for row in rows})
    if len(documents) < _FIRM_DOCUMENTS:
        return "answers", dict(sets)
    places = [[n for n, row in enumerate(rows) if row.document == each] for each in documents]
    return "documents", {
        name: np.array([values[group].mean() for group in places]) for name, values in sets.items()
    }


def _difference(before: Floats, after: Floats) -> dict[str, Any]:
    found = compare(before, after)
    return {"mean": found.difference, "interval": list(found.interval), "p_value": found.p_value}
