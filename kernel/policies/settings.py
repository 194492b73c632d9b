"""What the settings say of a policy: one table `[policies.NAME]` each."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ActionSettings(BaseModel):
    """Who answers, and how. What is not said is as the question says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    technique: str | None = None
    temperature: float = Field(0.0, ge=0, le=2)
    top_k: int | None = Field(None, ge=1, le=100)


class PolicySettings(BaseModel):
    """A policy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    actions: list[ActionSettings] = Field(min_length=1, description="the first is the safe default")

    @property
    def asks(self) -> list[str]:
        """The variants that it may choose, each once."""
        return list(dict.fromkeys(action.variant for action in self.actions))
