"""What answers are worth that were taken in one way, and what two ways differ by, over the same questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptation.ensembles.cases import Case
from kernel.comparison import bootstrap_interval, compare
from kernel.ensembles.election import Elector
from kernel.ensembles.voices import Voice

_RESAMPLES = 5000
_SEED = 20261129
_QUANTILES = [0.025, 0.975]


@dataclass(frozen=True, slots=True)
class Taken:
    """The answers that were taken in one way, each array of shape (questions,).

    Attributes:
        name: of the way.
        worth: of each answer, 0 to 1.
        f1: its token F1, NaN where there is no text to compare with.
        refused: whether the question was refused.
        tokens: prompt and completion, of all members that were asked.
        ms: the members' times, one after the other.
        side_by_side: the longest of them.
        asked: how many members were asked.
    """

    name: str
    worth: NDArray[np.float64]
    f1: NDArray[np.float64]
    refused: NDArray[np.bool_]
    tokens: NDArray[np.float64]
    ms: NDArray[np.float64]
    side_by_side: NDArray[np.float64]
    asked: NDArray[np.float64]


def of_member(cases: Sequence[Case], place: int, name: str) -> Taken:
    """Return the answers of one member; where it gave none, nothing is worth nothing."""
    refused = [any(voice.member == place and voice.answer.refused for voice in case.voices) for case in cases]
    ms = np.array([case.ms[place] for case in cases])
    return Taken(
        name,
        np.array([case.worth[place] for case in cases]),
        np.array([np.nan if case.f1 is None else case.f1[place] for case in cases]),
        np.array(refused, np.bool_),
        np.array([case.tokens[place] for case in cases]),
        ms,
        ms,
        np.ones(len(cases)),
    )


def of_ensemble(
    cases: Sequence[Case], elector: Elector, name: str, *, without: int | None = None, one_by_one: bool
) -> Taken:
    """Return the answers that an ensemble elects. Asks nobody.

    Args:
        cases: the questions with the members' answers.
        elector: elects.
        name: of the way.
        without: a member to leave out.
        one_by_one: ask the members in their order, as long as the answer is not sure enough.
    """
    members = [place for place in range(len(elector.members)) if place != without]
    rows = []
    for case in cases:
        asked: list[int] = []
        heard: list[tuple[Voice, int]] = []
        elected = None
        for place in members:
            asked.append(place)
            heard += [
                (voice, group)
                for voice, group in zip(case.voices, case.groups, strict=True)
                if voice.member == place
            ]
            if not heard or (not one_by_one and place != members[-1]):
                continue
            voices = [voice for voice, _ in heard]
            elected = elector.elect(voices, case.question, [group for _, group in heard])
            if one_by_one and elector.is_enough(elected):
                break
        ms = case.ms[asked]
        worth, f1, refused = 0.0, 0.0, False
        if elected is not None and elected.place is None:
            worth, refused = case.refused, True
        elif elected is not None and elected.place is not None:
            member = heard[elected.place][0].member
            worth, refused = float(case.worth[member]), elected.answer.refused
            f1 = 0.0 if case.f1 is None else float(case.f1[member])
        f1 = np.nan if case.f1 is None else f1
        rows.append((worth, f1, refused, case.tokens[asked].sum(), ms.sum(), ms.max(), len(asked)))
    table = np.array(rows, np.float64).T
    return Taken(name, table[0], table[1], table[2] > 0, *table[3:])


def figures(taken: Taken, answerable: NDArray[np.bool_]) -> dict[str, Any]:
    """Return what one way is worth and costs, as JSON values."""
    found: dict[str, Any] = {
        "worth": _mean(taken.worth),
        "tokens": float(taken.tokens.mean()),
        "ms": float(taken.ms.mean()),
        "ms_side_by_side": float(taken.side_by_side.mean()),
        "members_asked": float(taken.asked.mean()),
    }
    if answerable.any():
        found["answerable"] = _mean(taken.worth[answerable])
    if (told := ~np.isnan(taken.f1)).any():
        found["token_f1"] = _mean(taken.f1[told])
    if not answerable.all():
        values = _refusal_f1s(taken.refused, answerable)
        found["refusal_f1"] = {
            "value": float(_refusal_f1(taken.refused, answerable)),
            "interval": [float(value) for value in np.quantile(values, _QUANTILES)],
            "questions": len(answerable),
        }
    return found


def difference(before: Taken, after: Taken, answerable: NDArray[np.bool_]) -> dict[str, Any]:
    """Return `after` less `before` over the same questions, each with its 95 % interval, as JSON values."""
    found: dict[str, Any] = {"of": before.name, "worth": _paired(before.worth, after.worth)}
    if answerable.any():
        found["answerable"] = _paired(before.worth[answerable], after.worth[answerable])
    if (told := ~np.isnan(before.f1)).any():
        found["token_f1"] = _paired(before.f1[told], after.f1[told])
    if not answerable.all():
        values = _refusal_f1s(after.refused, answerable) - _refusal_f1s(before.refused, answerable)
        found["refusal_f1"] = {
            "difference": float(
                _refusal_f1(after.refused, answerable) - _refusal_f1(before.refused, answerable)
            ),
            "interval": [float(value) for value in np.quantile(values, _QUANTILES)],
        }
    return found


def _mean(values: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "value": float(values.mean()),
        "interval": list(bootstrap_interval(values)),
        "questions": len(values),
    }


def _paired(before: NDArray[np.float64], after: NDArray[np.float64]) -> dict[str, Any]:
    found = compare(before, after)
    return {"difference": found.difference, "interval": list(found.interval), "p_value": found.p_value}


def _refusal_f1(refused: NDArray[np.bool_], answerable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the F1 of refusals, of which those of unanswerable questions are right, over the last axis.

    It is 1 where there is nothing to refuse and nothing was.
    """
    right = (refused & ~answerable).sum(axis=-1)
    wrong = (refused == answerable).sum(axis=-1)
    return np.asarray(np.where(right + wrong, 2 * right / np.maximum(1, 2 * right + wrong), 1.0), np.float64)


def _refusal_f1s(refused: NDArray[np.bool_], answerable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return it of resamples of the questions, the same for every way, shape (resamples,)."""
    rows = np.random.default_rng(_SEED).integers(0, len(answerable), (_RESAMPLES, len(answerable)))
    return _refusal_f1(refused[rows], answerable[rows])
