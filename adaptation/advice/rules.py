"""The rules of the advice, which stand in one data file: what is asked, what follows from it, and why.

A rule adds to or takes from the score of an option when all its conditions hold. A condition is a list of answers, or
the least and the most of a number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from retrieval.errors import UsageError

_DATA = Path(__file__).parent
Answers = Mapping[str, Any]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Question(_Model):
    """Something that is asked, in both languages."""

    id: str
    kind: Literal["choice", "yes_no", "number"]
    text: dict[str, str]
    default: bool | float | str
    options: list[str] = []
    least: float | None = None

    def read(self, value: object) -> bool | float | str:
        """Return an answer as it is meant: a text as people type it, or a value of JSON.

        Raises:
            UsageError: it is none.
        """
        said = str(value).strip().lower()
        if self.kind == "yes_no":
            if said in ("yes", "y", "true", "1", "はい"):
                return True
            if said in ("no", "n", "false", "0", "いいえ"):
                return False
            raise UsageError(f"the answer to '{self.id}' is yes or no, not '{value}'")
        if self.kind == "choice":
            if said.isdigit() and 1 <= int(said) <= len(self.options):
                return self.options[int(said) - 1]
            if said in self.options:
                return said
            raise UsageError(f"the answer to '{self.id}' is one of {', '.join(self.options)}, not '{value}'")
        try:
            number = float(said.replace(",", ""))
        except ValueError as error:
            raise UsageError(f"the answer to '{self.id}' is a number, not '{value}'") from error
        if not (self.least or 0) <= number < 1e12:
            raise UsageError(f"the answer to '{self.id}' is {self.least or 0:g} at least, not {value}")
        return number


class Option(_Model):
    """A way to adapt a model. Costs are rough, in US dollars, and can be given: see `Costs`."""

    id: str
    name: dict[str, str]
    about: dict[str, str]
    commands: list[str]
    upfront: float = Field(description="before the first answer")
    machine: float = Field(description="a month")
    per_thousand: float = Field(description="for a thousand questions")


class Rule(_Model):
    """A rule; `example` are answers under which it holds, `counter` such under which it does not."""

    id: str
    option: str
    score: float
    when: dict[str, list[bool | str] | dict[Literal["min", "max"], float]]
    reason: dict[str, str]
    example: dict[str, bool | float | str]
    counter: dict[str, bool | float | str]

    def holds(self, answers: Answers) -> bool:
        """Tell whether all conditions hold; what was not answered holds for none."""
        for name, wanted in self.when.items():
            if name not in answers:
                return False
            value = answers[name]
            if isinstance(wanted, dict):
                if not wanted.get("min", float("-inf")) <= float(value) <= wanted.get("max", float("inf")):
                    return False
            elif value not in wanted:
                return False
        return True


@lru_cache(maxsize=1)
def questions() -> tuple[Question, ...]:
    """Return what is asked, in its order."""
    return tuple(Question.model_validate(row) for row in _rows("questions.json"))


@lru_cache(maxsize=1)
def options() -> tuple[Option, ...]:
    """Return the ways there are."""
    return tuple(Option.model_validate(row) for row in _rows("options.json"))


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """Return the rules."""
    return tuple(Rule.model_validate(row) for row in _rows("rules.json"))


def read_answers(given: Mapping[str, object]) -> dict[str, bool | float | str]:
    """Return answers, each checked; what is not given is as the question's default.

    Raises:
        UsageError: one is none, or answers nothing that is asked.
    """
    known = {question.id: question for question in questions()}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise UsageError(f"nothing that is asked is called '{unknown[0]}'; there are {', '.join(known)}")
    return {name: question.read(given.get(name, question.default)) for name, question in known.items()}


def _rows(name: str) -> Sequence[Any]:
    found: list[Any] = json.loads((_DATA / name).read_text(encoding="utf-8"))
    return found
