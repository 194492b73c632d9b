"""What the settings say of an ensemble: one table `[ensembles.NAME]` each."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Rule = Literal["linear", "log_linear", "majority", "weighted", "borda", "run_off", "stacked"]
TOKEN_RULES = ("linear", "log_linear")
"""The rules that mix what members would write next; the others are over whole answers."""


class MemberSettings(BaseModel):
    """A member: a variant, and how it is asked. What is not said is as the question says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    technique: str | None = None
    weight: float = Field(1.0, description="what its voice counts")


class EnsembleSettings(BaseModel):
    """An ensemble."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    members: list[MemberSettings] = Field(
        description="variants by name, or tables with variant, technique and weight"
    )
    rule: Rule = Field("majority", description="how one answer is made of the members'")

    @field_validator("members", mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        return (
            [{"variant": member} if isinstance(member, str) else member for member in value]
            if isinstance(value, list)
            else value
        )

    @model_validator(mode="after")
    def _weighed(self) -> EnsembleSettings:
        if len(self.members) < 2:
            raise ValueError("an ensemble needs two members at least")
        weights = [member.weight for member in self.members]
        if min(weights) < 0 or not sum(weights):
            raise ValueError("the weights of its members may not be negative, nor all 0")
        return self

    @property
    def asks(self) -> list[str]:
        """The variants that it asks, each once."""
        return list(dict.fromkeys(member.variant for member in self.members))
