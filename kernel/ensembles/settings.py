"""What the settings say of an ensemble: one table `[ensembles.NAME]` each."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from kernel.ensembles.kinds import Kind

Rule = Literal["linear", "log_linear", "majority", "weighted", "borda", "run_off", "stacked"]
TOKEN_RULES = ("linear", "log_linear")
"""The rules that mix what members would write next; the others are over whole answers."""
FITTED_RULES = (*TOKEN_RULES, "weighted", "stacked")
"""The rules for which `tekio adapt ensemble` fits something."""
MOST_MEMBERS = 16
_LONGEST = 3600


class MemberSettings(BaseModel):
    """A member: a variant, and how it is asked. What is not said is as the question says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    technique: str | None = None
    weight: float = Field(1.0, allow_inf_nan=False, description="what its voice counts")
    weights: dict[Kind, float] = Field(
        {}, description="what its voice counts for questions of a kind; weight for those that are not named"
    )
    temperature: float = Field(
        0.0, ge=0, le=2, description="how freely it writes; 0 writes what is likeliest"
    )
    samples: int | None = Field(
        None, ge=1, le=10, description="drafts that it writes and votes on, with steps before the answer"
    )
    step_votes: bool = Field(False, description="it votes on each step of its drafts, rather than on drafts")
    step_voters: list[str] = Field(
        [],
        description="variants over the same base whose next steps stand for election beside its own; with step_votes",
    )

    @property
    def name(self) -> str:
        """What tells it from the other members."""
        more = [
            self.technique or "",
            f"t={self.temperature:g}" if self.temperature else "",
            f"n={self.samples}" if self.samples else "",
            "+".join(["steps", *self.step_voters]) if self.step_votes else "",
        ]
        return "/".join([self.variant, *filter(None, more)])

    def weight_for(self, kind: Kind) -> float:
        """Return what its voice counts for a kind of question."""
        return self.weights.get(kind, self.weight)


class EnsembleSettings(BaseModel):
    """An ensemble."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    members: list[MemberSettings] = Field(
        description="variants by name, or tables with variant, technique, temperature and weight"
    )
    rule: Rule = Field("majority", description="how one answer is made of the members'")
    seconds: float = Field(120, gt=0, le=_LONGEST, description="longest time of a member's answer")
    same_meaning: float = Field(
        0.0,
        ge=0,
        le=1,
        description="cosine of two answers' vectors from which they say the same; 0 compares words and figures alone",
    )
    if_below: float | None = Field(
        None,
        ge=0,
        le=1,
        description="ask members one by one, in their order, only while the answer so far is less sure than this",
    )
    fitted: Path | None = Field(
        None, description="what `tekio adapt ensemble` wrote; in ensembles, beside the adapters, unless given"
    )

    @field_validator("members", mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        return (
            [{"variant": member} if isinstance(member, str) else member for member in value]
            if isinstance(value, list)
            else value
        )

    @field_validator("fitted")
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser()

    @model_validator(mode="after")
    def _weighed(self) -> EnsembleSettings:
        if not 2 <= len(self.members) <= MOST_MEMBERS:
            raise ValueError(f"an ensemble has 2 to {MOST_MEMBERS} members")
        for weights in ([member.weight for member in self.members], *self._of_kinds()):
            if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not sum(weights):
                raise ValueError("the weights of its members may not be negative, nor all 0")
        if self.rule in TOKEN_RULES:
            self._check_token_members()
        else:
            self._check_answer_members()
        return self

    def _check_answer_members(self) -> None:
        names = [member.name for member in self.members]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(
                f"the member '{twice[0]}' is named twice: give it another technique or temperature"
            )
        if any(member.step_votes and (member.samples or 1) < 2 for member in self.members):
            raise ValueError("step_votes need samples of 2 or more")
        for member in self.members:
            _check_step_voters(member)

    def _check_token_members(self) -> None:
        names = [member.variant for member in self.members]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"the member '{twice[0]}' is named twice: give it a larger weight instead")
        if any(member.technique for member in self.members):
            raise ValueError(
                f"the members of the rule {self.rule} read one prompt: leave out their technique"
            )
        if self.if_below is not None or self.same_meaning:
            raise ValueError("if_below and same_meaning go with rules over whole answers")
        if any(member.temperature or member.samples or member.step_voters for member in self.members):
            raise ValueError(
                "temperature, samples and step_voters of a member go with rules over whole answers"
            )

    def _of_kinds(self) -> list[list[float]]:
        kinds = {kind for member in self.members for kind in member.weights}
        return [[member.weight_for(kind) for member in self.members] for kind in sorted(kinds)]

    @property
    def asks(self) -> list[str]:
        """The variants that it asks, each once; those whose steps alone it asks for come last."""
        voters = [name for member in self.members for name in member.step_voters]
        return list(dict.fromkeys([*(member.variant for member in self.members), *voters]))


def _check_step_voters(member: MemberSettings) -> None:
    if member.step_voters and not member.step_votes:
        raise ValueError("step_voters go with step_votes")
    names = [member.variant, *member.step_voters]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"'{twice[0]}' votes twice on the steps of '{member.variant}': name each once")
