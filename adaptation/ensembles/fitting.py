"""What is fitted for an ensemble: a model that chooses among candidates, or weights of the members.

What is printed of a fit is measured by nested cross-validation: of the documents some are left out, everything that is
chosen (the penalty, the weights) is chosen on the others, and measured on those left out (Varma and Simon, "Bias in
error estimation when using cross-validation for model selection", BMC Bioinformatics 2006).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from adaptation.ensembles.cases import Case
from kernel.ensembles.election import Elector, candidates_of
from kernel.ensembles.features import feature_names, features_of
from kernel.ensembles.fitted import Fitted, Stacked
from kernel.ensembles.kinds import Kind, kind_of_question
from kernel.ensembles.settings import EnsembleSettings
from retrieval.errors import UsageError

STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_STEPS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
_ROUNDS = 3
_OF_A_KIND = 30
"""Questions of a kind from which it gets weights of its own."""
_FOLDS = 5
_LEAST_GROUPS = 4
_NOT_BY_CHANCE = 0.01
_EVEN = 1e-9

Chooses = Callable[[Sequence[Case]], NDArray[np.float64]]
"""Tells what the answers are worth that it takes, shape (cases,)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What was fitted to all cases, and what was measured on documents that were left out, shape (cases,)."""

    fitted: Fitted
    worth: NDArray[np.float64]


def check_fits(told: EnsembleSettings) -> None:
    """Check that there is something to fit for the rule of an ensemble, before its members are asked.

    Raises:
        UsageError: there is not.
    """
    if told.rule not in ("stacked", "weighted"):
        raise UsageError(
            f"the rule {told.rule} has nothing to be fitted: weighted, stacked, linear and log_linear have"
        )


def fit(cases: Sequence[Case], told: EnsembleSettings, elector_of: Callable[[Fitted | None], Elector]) -> Fit:
    """Fit what the rule of an ensemble needs.

    Args:
        cases: of several documents.
        told: what the settings say of the ensemble.
        elector_of: makes what elects by the rule with something fitted.

    Raises:
        UsageError: the rule has nothing to fit, or there are too few documents.
    """
    if len({case.group for case in cases}) < _LEAST_GROUPS:
        raise UsageError(
            f"questions of {_LEAST_GROUPS} documents at least are needed, so that some can be left out: "
            f"these are of {len({case.group for case in cases})}"
        )
    members = [member.name for member in told.members]
    makers = {"stacked": _fit_stacked, "weighted": _fit_weights}
    check_fits(told)
    make = makers[told.rule]
    worth = np.zeros(len(cases))
    with threadpool_limits(1):  # the fits are small: threads would wait for each other
        for train, test in _folds(cases):
            elector = elector_of(make([cases[n] for n in train], members, elector_of))
            worth[test] = chosen_worth(elector, [cases[n] for n in test])
        return Fit(make(cases, members, elector_of), worth)


def chosen_worth(elector: Elector, cases: Sequence[Case]) -> NDArray[np.float64]:
    """Return what the answers are worth that are elected, shape (cases,)."""
    return np.array([case.worth_of(elector.elect(case.voices, case.question, case.groups)) for case in cases])


def _folds(cases: Sequence[Case]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import GroupKFold

    groups = [case.group for case in cases]
    return list(GroupKFold(min(_FOLDS, len(set(groups)))).split(groups, groups=groups))


@dataclass(frozen=True, slots=True)
class _Rows:
    """The candidates of a question: features of shape (n, d), and what each is worth, shape (n,)."""

    features: NDArray[np.float64]
    worth: NDArray[np.float64]


def _rows_of(case: Case, members: list[str]) -> _Rows:
    voices, groups = candidates_of(case.voices, case.groups)
    worth = [case.refused if voice.member < 0 else float(case.worth[voice.member]) for voice in voices]
    return _Rows(features_of(voices, groups, case.question, members), np.array(worth))


def _fit_stacked(
    cases: Sequence[Case], members: list[str], elector_of: Callable[[Fitted | None], Elector]
) -> Fitted:
    """Choose the penalty by cross-validation, and fit with it to all cases."""
    rows = [_rows_of(case, members) for case in cases]
    folds = _folds(cases)

    def worth(strength: float) -> float:
        found = 0.0
        for train, test in folds:
            model = stacked([rows[n] for n in train], members, strength)
            found += sum(rows[n].worth[model.likely(rows[n].features).argmax()] for n in test)
        return found / len(rows)

    # Of equals the one with the greatest penalty.
    best = max(STRENGTHS, key=lambda strength: (round(worth(strength), 9), -strength))
    return Fitted(rule="stacked", members=members, revisions={}, stacked=stacked(rows, members, best))


def stacked(rows: Sequence[_Rows], members: list[str], strength: float) -> Stacked:
    """Fit a logistic regression that tells how much of an answer is right; every question counts the same."""
    from sklearn.linear_model import LogisticRegression

    features = np.vstack([each.features for each in rows])
    target = np.concatenate([each.worth for each in rows])
    count = np.concatenate([np.full(len(each.worth), 1 / len(each.worth)) for each in rows])
    means, scales = features.mean(axis=0), features.std(axis=0)
    scales = np.where(scales > _EVEN, scales, 1.0)
    scaled = (features - means) / scales
    # An answer that is right by half counts half as right and half as wrong.
    both = np.vstack([scaled, scaled])
    classes = np.repeat([1, 0], len(scaled))
    weights = np.concatenate([target * count, (1 - target) * count])
    kept = weights > 0
    if len(set(classes[kept])) < 2:
        raise UsageError("all answers are right, or all are wrong: there is nothing to learn from them")
    model = LogisticRegression(C=strength, max_iter=2000).fit(both[kept], classes[kept], weights[kept])
    return Stacked(
        features=feature_names(members),
        means=[float(value) for value in means],
        scales=[float(value) for value in scales],
        weights=[float(value) for value in model.coef_[0]],
        bias=float(model.intercept_[0]),
        strength=strength,
    )


def _fit_weights(
    cases: Sequence[Case], members: list[str], elector_of: Callable[[Fitted | None], Elector]
) -> Fitted:
    """Climb from equal weights, one member at a time; then for each kind of question of which there are enough."""

    def of(weights: Sequence[float], kinds: dict[Kind, list[float]] | None = None) -> Fitted:
        return Fitted(
            rule="weighted", members=members, revisions={}, weights=list(weights), kinds=kinds or {}
        )

    def worth(weights: Sequence[float], among: Sequence[Case]) -> float:
        return float(chosen_worth(elector_of(of(weights)), among).mean())

    overall = _climbed([1.0] * len(members), lambda weights: worth(weights, cases))
    kinds: dict[Kind, list[float]] = {}
    of_kind: dict[Kind, list[Case]] = {}
    for case in cases:
        of_kind.setdefault(kind_of_question(case.question), []).append(case)
    for kind, among in of_kind.items():
        if len(among) < _OF_A_KIND:
            continue
        own = _climbed(overall, lambda weights, among=among: worth(weights, among))  # type: ignore[misc]
        if worth(own, among) > worth(overall, among) + _NOT_BY_CHANCE:
            kinds[kind] = own
    return of(overall, kinds)


def _climbed(start: Sequence[float], worth: Callable[[Sequence[float]], float]) -> list[float]:
    best, most = list(start), worth(start)
    for _ in range(_ROUNDS):
        before = most
        for place in range(len(best)):
            for step in _STEPS:
                tried = [*best[:place], step, *best[place + 1 :]]
                if sum(tried) and (found := worth(tried)) > most + _EVEN:
                    best, most = tried, found
        if most <= before + _EVEN:
            break
    return best
