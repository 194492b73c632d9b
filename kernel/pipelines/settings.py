"""What the settings say of a pipeline: one table `[pipelines.NAME]` each."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class StepSettings(BaseModel):
    """A step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: str
    variant: str = ""


class PipelineSettings(BaseModel):
    """A pipeline."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: list[StepSettings] = Field(min_length=1)

    @property
    def asks(self) -> list[str]:
        """The variants that its steps ask, each once."""
        return list(dict.fromkeys(step.variant for step in self.steps if step.variant))
