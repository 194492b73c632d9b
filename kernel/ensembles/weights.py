"""What each member of a mixture counts, for each kind of question: of the settings, or fitted and kept in a file."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kernel.ensembles.kinds import KINDS, Kind, kind_of_question
from kernel.ensembles.settings import EnsembleSettings
from retrieval.errors import UsageError
from retrieval.whole_files import write_whole


class FittedWeights(BaseModel):
    """Weights that were fitted on held-out questions, as they are kept in a file."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    format: Literal[1] = 1
    rule: Literal["linear", "log_linear"]
    members: list[str]
    revisions: dict[str, str] = Field(description="of the members, when they were fitted")
    weights: list[float] = Field(description="of each member, for all questions")
    kinds: dict[Kind, list[float]] = Field({}, description="for a kind of question that has own ones")
    data_hash: str = Field("", description="of the rows that they were fitted to")
    figures: dict[str, Any] = Field({}, description="losses on documents that were left out of the fit")
    made: str = Field("", description="when, as ISO 8601")

    def write(self, path: Path) -> None:
        """Write them so that the file is whole at any moment.

        Raises:
            TekioError: it cannot be written.
        """
        write_whole(path, self.model_dump_json(indent=1) + "\n")


@dataclass(frozen=True, slots=True)
class MemberWeights:
    """The weights of members in their order, for all questions and for kinds that have own ones."""

    overall: tuple[float, ...]
    kinds: Mapping[Kind, tuple[float, ...]] = field(default_factory=dict)

    def of(self, question: str) -> tuple[Kind | None, tuple[float, ...]]:
        """Return the weights for a question, and its kind where that has own ones; empty words have none."""
        kind = kind_of_question(question) if question and self.kinds else None
        if kind is None or kind not in self.kinds:
            return None, self.overall
        return kind, self.kinds[kind]

    @property
    def digest(self) -> str:
        """What changes with them."""
        said = json.dumps([self.overall, sorted(self.kinds.items())])
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def weights_of(told: EnsembleSettings, fitted: FittedWeights | None) -> MemberWeights:
    """Return what the members count: as fitted, else as the settings say."""
    if fitted is not None:
        return MemberWeights(
            tuple(fitted.weights), {kind: tuple(weights) for kind, weights in fitted.kinds.items()}
        )
    named = {kind for member in told.members for kind in member.weights}
    return MemberWeights(
        tuple(member.weight for member in told.members),
        {kind: tuple(member.weight_for(kind) for member in told.members) for kind in KINDS if kind in named},
    )


def read_weights(
    name: str, told: EnsembleSettings, path: Path, revisions: Mapping[str, str]
) -> FittedWeights | None:
    """Read the weights that were fitted for an ensemble; None where none were, and the settings name no file.

    Args:
        name: of the ensemble.
        told: what the settings say of it.
        path: the file.
        revisions: of the members that are whole, now.

    Raises:
        UsageError: the file is missing though the settings name it, is broken, or was fitted to other members.
    """
    again = f"fit it with `tekio adapt ensemble {name} --questions FILE`, or delete the file"
    if not path.is_file():
        if told.fitted is not None:
            raise UsageError(f"the ensemble '{name}' is not fitted, there is no {path}: {again}")
        return None
    try:
        found = FittedWeights.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(f"{path} holds no fitted weights ({where}: {first['msg']}): {again}") from error
    except OSError as error:
        raise UsageError(f"cannot read {path} ({error.strerror or error}): {again}") from error
    members = [member.variant for member in told.members]
    if (found.rule, found.members) != (told.rule, members):
        raise UsageError(
            f"{path} was fitted for the rule {found.rule} and the members {', '.join(found.members)}: {again}"
        )
    if changed := [each for each, revision in revisions.items() if found.revisions.get(each) != revision]:
        raise UsageError(
            f"the member '{changed[0]}' is not as it was when the ensemble '{name}' was fitted: {again}"
        )
    for weights in (found.weights, *found.kinds.values()):
        if not are_weights(weights, len(members)):
            raise UsageError(f"the weights in {path} are not one of 0 or more for each member: {again}")
    return found


def are_weights(weights: Sequence[float], count: int) -> bool:
    """Say whether so many numbers can be weights: none negative, not all 0."""
    whole = len(weights) == count and all(math.isfinite(each) and each >= 0 for each in weights)
    return whole and sum(weights) > 0
