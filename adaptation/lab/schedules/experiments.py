"""What can be changed of a training, one thing at a time, with what it is expected to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retrieval.errors import UsageError


@dataclass(frozen=True, slots=True)
class Experiment:
    """A training that differs from the others of its group in one thing.

    Attributes:
        name: as it is chosen.
        group: `schedules`, over all windows, or `overtraining`, over a few of them for too long.
        why: what it is expected to do, in words.
        training: what it changes of the recipe's training.
    """

    name: str
    group: str
    why: str
    training: Mapping[str, Any]


_NO_BRAKE: Mapping[str, Any] = {"decay": 0.0, "dropout": 0.0, "smoothing": 0.0, "patience": 0}
EXPERIMENTS: Mapping[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        Experiment(
            "cosine",
            "schedules",
            "rises in the warm-up, so that the first gradients break nothing, and falls as a cosine to zero",
            {"schedule": "cosine"},
        ),
        Experiment(
            "linear", "schedules", "rises in the warm-up and falls in a line to zero", {"schedule": "linear"}
        ),
        Experiment(
            "constant",
            "schedules",
            "stays where it is: quick at first, and never settles",
            {"schedule": "constant", "warm_up": 0.0},
        ),
        Experiment(
            "without-warm-up",
            "schedules",
            "falls as a cosine from the first step on",
            {"schedule": "cosine", "warm_up": 0.0},
        ),
        Experiment("no-brake", "overtraining", "learns its windows by heart", _NO_BRAKE),
        Experiment(
            "early-stopping",
            "overtraining",
            "ends where the held-out loss falls no further, and takes the best weights",
            {**_NO_BRAKE, "patience": 2},
        ),
        Experiment(
            "weight-decay",
            "overtraining",
            "keeps weights small that little speaks for",
            {**_NO_BRAKE, "decay": 0.3},
        ),
        Experiment(
            "dropout",
            "overtraining",
            "leaves out values, so that none is relied on",
            {**_NO_BRAKE, "dropout": 0.3},
        ),
        Experiment(
            "label-smoothing",
            "overtraining",
            "never asks to be all sure, which is for the calibration more than for the loss",
            {**_NO_BRAKE, "smoothing": 0.1},
        ),
    )
}


def chosen(names: Sequence[str]) -> list[Experiment]:
    """Return experiments by their names or groups; all without one.

    Raises:
        UsageError: a name is unknown.
    """
    groups = {experiment.group for experiment in EXPERIMENTS.values()}
    if unknown := [name for name in names if name not in EXPERIMENTS and name not in groups]:
        raise UsageError(
            f"there is no experiment '{unknown[0]}'; there are {', '.join([*sorted(groups), *EXPERIMENTS])}"
        )
    return [
        experiment
        for experiment in EXPERIMENTS.values()
        if not names or experiment.name in names or experiment.group in names
    ]
