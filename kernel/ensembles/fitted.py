"""What `tekio adapt ensemble` learned for an ensemble: figures in a JSON file, with what they were fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kernel.ensembles.features import feature_names
from kernel.ensembles.kinds import Kind
from kernel.ensembles.settings import EnsembleSettings
from retrieval.errors import UsageError
from retrieval.whole_files import write_whole

FOLDER = "ensembles"


class Stacked(BaseModel):
    """A logistic regression over features of candidates, which tells how likely each is the right answer."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    features: list[str]
    means: list[float]
    scales: list[float]
    weights: list[float]
    bias: float
    strength: float = Field(description="inverse of the penalty on the squared weights")

    def likely(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how likely each candidate is right, shape (n,), of features of shape (n, d)."""
        scaled = (features - np.array(self.means)) / np.array(self.scales)
        return np.asarray(1 / (1 + np.exp(-np.clip(scaled @ np.array(self.weights) + self.bias, -50, 50))))


class Fitted(BaseModel):
    """What was fitted: weights of the members, or a model that chooses among candidates."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    format: Literal[1] = 1
    rule: str
    members: list[str]
    revisions: dict[str, str] = Field(description="of the members' variants, when it was fitted")
    weights: list[float] | None = None
    kinds: dict[Kind, list[float]] = Field(
        {}, description="weights for a kind of question, where it has own ones"
    )
    stacked: Stacked | None = None
    questions: dict[str, Any] = Field({}, description="what it was fitted to")
    figures: dict[str, Any] = Field({}, description="measured on documents that were left out of the fit")
    made: str = ""


def fitted_place(name: str, told: EnsembleSettings, adapters: Path) -> Path:
    """Return the file of what was fitted for an ensemble."""
    return told.fitted or adapters.parent / FOLDER / f"{name}.json"


def fits_of(ensembles: Mapping[str, EnsembleSettings], adapters: Path) -> tuple[tuple[int, int], ...]:
    """Return what changes when one of several ensembles is fitted anew: when its file was written, and its size."""
    found = []
    for name, told in ensembles.items():
        try:
            state = fitted_place(name, told, adapters).stat()
        except OSError:  # it is not fitted
            found.append((0, 0))
        else:
            found.append((state.st_mtime_ns, state.st_size))
    return tuple(found)


def read_fitted(name: str, told: EnsembleSettings, path: Path, revisions: Mapping[str, str]) -> Fitted | None:
    """Read what was fitted for an ensemble; None where nothing was, and nothing has to be.

    Args:
        name: of the ensemble.
        told: what the settings say of it.
        path: the file.
        revisions: of the members' variants, now.

    Raises:
        UsageError: it is missing where the rule needs it, is broken, or was fitted to other members.
    """
    again = f"fit it with `tekio adapt ensemble {name} --questions FILE`"
    if told.rule not in ("stacked", "weighted"):
        return None
    if not path.is_file():
        if told.rule == "stacked" or told.fitted is not None:
            raise UsageError(f"the ensemble '{name}' is not fitted, there is no {path}: {again}")
        return None
    try:
        found = Fitted.model_validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        raise UsageError(f"{path} is no fitted ensemble, or is broken: {again}") from error
    members = [member.name for member in told.members]
    if (found.rule, found.members) != (told.rule, members):
        raise UsageError(
            f"{path} was fitted for the rule {found.rule} and the members {', '.join(found.members)}: {again}"
        )
    if changed := [each for each, revision in revisions.items() if found.revisions.get(each) != revision]:
        raise UsageError(f"{changed[0]} is not as it was when the ensemble '{name}' was fitted: {again}")
    _check_figures(found, path, again)
    return found


def _check_figures(found: Fitted, path: Path, again: str) -> None:
    sets: list[Sequence[float]] = [] if found.weights is None else [found.weights, *found.kinds.values()]
    for weights in sets:
        if len(weights) != len(found.members) or min(weights) < 0 or not sum(weights):
            raise UsageError(f"the weights in {path} are not one for each member, 0 or more: {again}")
    stacked = found.stacked
    if (found.rule == "stacked" and stacked is None) or (found.rule == "weighted" and found.weights is None):
        raise UsageError(f"{path} holds nothing for the rule {found.rule}: {again}")
    if stacked is not None:
        counts = {len(each) for each in (stacked.features, stacked.means, stacked.scales, stacked.weights)}
        if stacked.features != feature_names(found.members) or len(counts) > 1 or min(stacked.scales) <= 0:
            raise UsageError(f"{path} was fitted by another version of Tekio: {again}")


def write_fitted(path: Path, fitted: Fitted) -> None:
    """Write what was fitted so that the file is whole at any moment.

    Raises:
        TekioError: it cannot be written.
    """
    write_whole(path, fitted.model_dump_json(indent=1) + "\n")
