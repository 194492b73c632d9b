"""What each variant is, in a form to show: its kind, and of a composed one whom it asks and by which rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from kernel.ensembles.settings import TOKEN_RULES, EnsembleSettings
from kernel.lab_models import find_lab_model, lab_engine
from kernel.pipelines.settings import PipelineSettings
from kernel.settings import Settings
from kernel.variant_names import BASE, EXTRACTIVE

VariantKind = Literal[
    "base",
    "extractive",
    "adapter",
    "remote",
    "llama.cpp",
    "seq2seq",
    "local",
    "blend",
    "ensemble",
    "pipeline",
    "policy",
]
COMPOSED_KINDS: tuple[VariantKind, ...] = ("blend", "ensemble", "pipeline", "policy")
"""The kinds that make their answers of others' answers."""


class VariantPart(BaseModel):
    """Whom a composed variant asks: a member of an ensemble, a step of a pipeline, what a policy may choose."""

    model_config = ConfigDict(frozen=True)

    variant: str = Field(
        "", description="of a step its variant or its model; empty where it names none of its own"
    )
    technique: str | None = Field(None, description="null: as the question says")
    weight: float | None = Field(None, description="what its voice counts; of an ensemble alone")
    name: str = Field("", description="of a step")
    step: str = Field("", description="kind of a step")
    temperature: float | None = Field(None, description="of a member or a choice; null for steps")
    samples: int | None = Field(None, description="drafts on which a member votes by itself")
    top_k: int | None = Field(None, description="of a choice; null: as the question says")


class VariantDescription(BaseModel):
    """Who can answer. Addresses, keys and prompts are no part of it."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: VariantKind = Field(
        description="base, extractive, adapter; remote, llama.cpp and seq2seq: another engine computes it; "
        "local: in this process, with a model or a precision of its own; blend "
        "(members are mixed token by token), ensemble, pipeline and policy ask other variants"
    )
    rule: str = Field("", description="of a blend or an ensemble: how one answer is made of the members'")
    if_below: float | None = Field(
        None,
        description="of an ensemble that asks its members one by one: the confidence up to which it goes on",
    )
    parts: list[VariantPart] = Field([], description="whom a composed variant asks, in their order")

    @property
    def is_composed(self) -> bool:
        """Whether it makes its answers of others' answers."""
        return self.kind in COMPOSED_KINDS


def describe_variants(names: Iterable[str], settings: Settings) -> list[VariantDescription]:
    """Describe variants by their names, in the order given. Loads no model."""
    return [_describe(name, settings) for name in names]


def _describe(name: str, settings: Settings) -> VariantDescription:
    composed = settings.composed.get(name)
    if isinstance(composed, EnsembleSettings):
        members = [
            VariantPart(
                variant=member.variant,
                technique=member.technique,
                weight=member.weight,
                temperature=member.temperature,
                samples=member.samples,
            )
            for member in composed.members
        ]
        kind: VariantKind = "blend" if composed.rule in TOKEN_RULES else "ensemble"
        return VariantDescription(
            name=name, kind=kind, rule=composed.rule, if_below=composed.if_below, parts=members
        )
    if isinstance(composed, PipelineSettings):
        steps = [
            VariantPart(variant=step.variant or step.model, name=step.name, step=step.kind)
            for step in composed.steps
        ]
        return VariantDescription(name=name, kind="pipeline", parts=steps)
    if composed is not None:
        actions = [
            VariantPart(
                variant=action.variant,
                technique=action.technique,
                temperature=action.temperature,
                top_k=action.top_k,
            )
            for action in composed.actions
        ]
        return VariantDescription(name=name, kind="policy", parts=actions)
    if (other := settings.variants.get(name)) is not None:
        return VariantDescription(name=name, kind="remote" if other.engine == "openai" else other.engine)
    if name == BASE:
        return VariantDescription(name=name, kind="base")
    if (made := find_lab_model(name, settings.models)) is not None:
        return VariantDescription(name=name, kind=lab_engine(made))
    return VariantDescription(name=name, kind="extractive" if name == EXTRACTIVE else "adapter")
