"""What the settings say of a policy: one table `[policies.NAME]` each."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from kernel.variant_names import EXTRACTIVE


class ActionSettings(BaseModel):
    """Who answers, and how. What is not said is as the question says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    technique: str | None = None
    temperature: float = Field(0.0, ge=0, le=2)
    top_k: int | None = Field(None, ge=1, le=100)

    @property
    def label(self) -> str:
        """It in words, such as `base/few_shot, temperature 0.7, top 3`."""
        named = self.variant if self.technique is None else f"{self.variant}/{self.technique}"
        warmth = f", temperature {self.temperature:g}" if self.temperature else ""
        return f"{named}{warmth}" + ("" if self.top_k is None else f", top {self.top_k}")

    def plain(self) -> dict[str, Any]:
        """Return what tells it from others, as JSON."""
        return self.model_dump(mode="json")


class RewardSettings(BaseModel):
    """What counts how much in the reward of an answer; each part is 0 to 1, and so is the weighed mean of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    correct: float = Field(1.0, ge=0, allow_inf_nan=False, description="right, by people or by a set")
    supported: float = Field(0.3, ge=0, allow_inf_nan=False, description="share of claims that have support")
    short: float = Field(0.05, ge=0, allow_inf_nan=False, description="1 of nothing, 0.5 of 400 characters")
    fast: float = Field(0.05, ge=0, allow_inf_nan=False, description="1 at once, 0.5 after 5 seconds")

    @model_validator(mode="after")
    def _weighed(self) -> RewardSettings:
        if not any(self.model_dump().values()):
            raise ValueError("the weights of the rewards may not be all 0")
        return self


class PolicySettings(BaseModel):
    """A policy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    actions: list[ActionSettings] = Field(min_length=1, description="the first is the safe default")
    explore: float = Field(
        0.05, ge=0, le=0.5, description="share of the questions for which each action is as likely, to learn"
    )
    default_share: float = Field(
        0.1, ge=0.01, le=1, description="share of the questions that always get the safe default"
    )
    rewards: RewardSettings = RewardSettings()
    ratings_per_day: int = Field(
        10, ge=1, le=1000, description="most ratings of one user and day that count; those after are kept"
    )
    rollback_error: float = Field(
        0.05, gt=0, le=0.5, description="most likely share of sound policies that are rolled back by chance"
    )

    @field_validator("actions")
    @classmethod
    def _each_once(cls, value: list[ActionSettings]) -> list[ActionSettings]:
        for place, action in enumerate(value):
            if action in value[:place]:
                raise ValueError(f"the action '{action.label}' stands there twice: leave one of them out")
            if action.variant == EXTRACTIVE and action.temperature:
                raise ValueError("extractive writes nothing, so its action has no temperature")
        return value

    @model_validator(mode="after")
    def _shares(self) -> PolicySettings:
        if self.explore + self.default_share > 1:
            raise ValueError("explore and default_share together may be 1 at most")
        return self

    @property
    def asks(self) -> list[str]:
        """The variants that it may choose, each once."""
        return list(dict.fromkeys(action.variant for action in self.actions))

    @property
    def plain_actions(self) -> list[dict[str, Any]]:
        """The actions as JSON, in their order."""
        return [action.plain() for action in self.actions]
