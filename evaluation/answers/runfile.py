"""A run file: everything that was measured, as one JSON document that later runs are compared with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from evaluation.answers.items import Item
from evaluation.answers.outcome import Outcome
from retrieval.errors import UsageError

FORMAT = 1
_ROOMS = ("retrieval", "ingest", "plugins", "kernel", "evaluation")


class QuestionsAsked(BaseModel):
    """Which questions a run is of. `digest` names them with all that is expected, and the passages asked over."""

    model_config = ConfigDict(frozen=True)

    path: str
    form: str
    name: str
    digest: str
    count: int
    answerable: int
    pool: bool
    fold: str | None = None
    sample: int | None = None
    seed: int = 0
    limit: int | None = None


class RunFile(BaseModel):
    """A run as it is stored. `about` is what an outcome depends on beside the questions."""

    model_config = ConfigDict(frozen=True)

    format: int
    made: str
    questions: QuestionsAsked
    about: dict[str, Any]
    methods: dict[str, str]
    judge: dict[str, Any] | None
    ways: list[tuple[str, str]]
    runs: list[dict[str, Any]]
    comparisons: list[dict[str, Any]]
    notices: list[str]
    items: list[Item]
    outcomes: list[Outcome]

    def of(self, run: str) -> list[Outcome]:
        """Return the outcomes of one run."""
        return [outcome for outcome in self.outcomes if outcome.run == run]

    @property
    def names(self) -> list[str]:
        """The runs, in order."""
        return [run["name"] for run in self.runs]


def read_run(path: Path) -> RunFile:
    """Read a run file.

    Raises:
        UsageError: it cannot be read, or was written by a version whose run files are of another form.
    """
    try:
        whole = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the run in {path}: {error}") from error
    found = whole.get("format") if isinstance(whole, dict) else None
    if found is None:
        raise UsageError(f"{path} is no run of `tekio evaluate answers`")
    if found != FORMAT:
        raise UsageError(
            f"{path} was written by another version of Tekio (form {found}, not {FORMAT}): measure it again"
        )
    try:
        return RunFile.model_validate(whole)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise UsageError(f"the run in {path} is broken at {field}: {first['msg'].lower()}") from error


@dataclass(frozen=True, slots=True)
class Program:
    """The program that made a run: its version, and what names its source."""

    version: str
    source: str


@lru_cache(maxsize=1)
def program() -> Program:
    """Return this program. Any change of its source is another one, so that outcomes of two are never mixed."""
    found = hashlib.sha256()
    root = Path(__file__).parents[2]
    for room in _ROOMS:
        for file in sorted((root / room).rglob("*")):
            if file.suffix in (".py", ".txt", ".json", ".yaml") and file.is_file():
                found.update(file.relative_to(root).as_posix().encode())
                found.update(file.read_bytes())
    try:
        return Program(version("tekio"), found.hexdigest()[:16])
    except PackageNotFoundError:  # run from a checkout
        return Program("0", found.hexdigest()[:16])


def same_questions(baseline: RunFile, other: RunFile | QuestionsAsked, path: Path) -> None:
    """Check that two runs are of the same questions.

    Raises:
        UsageError: they are not.
    """
    asked = other.questions if isinstance(other, RunFile) else other
    if baseline.questions.digest != asked.digest:
        raise UsageError(
            f"{path} is of other questions ({baseline.questions.name}, {baseline.questions.count}) than these "
            f"({asked.name}, {asked.count}): they cannot be compared"
        )


def common_runs(baseline: RunFile, other: RunFile) -> Sequence[str]:
    """Return the runs that both have.

    Raises:
        UsageError: there is none.
    """
    names = [name for name in baseline.names if name in other.names]
    if not names:
        raise UsageError(
            f"the baseline has {', '.join(baseline.names)}, the other run {', '.join(other.names)}: none is in both"
        )
    return names
