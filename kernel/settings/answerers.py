"""Who answers: the models, and the variants that the settings make of them and of other engines."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, field_validator

from kernel.ensembles.settings import TOKEN_RULES, EnsembleSettings
from kernel.lab_models import list_lab_variants
from kernel.pipelines.settings import PipelineSettings
from kernel.policies.settings import PolicySettings
from kernel.settings.home import HomePath
from kernel.techniques import Technique
from kernel.variant_settings import VariantSettings, check_variant_names


class Answerers(BaseModel, frozen=True):
    """Models, variants and who answers where a request does not say."""

    embedder: str = Field(
        "multilingual-e5-small", description="name or folder of the embedding model, or of one in `embedders`"
    )
    embedder_engine: str = Field(
        "auto",
        description="what computes the embedder: auto, torch, torch-int8, onnx, onnx-int8, openvino, openvino-bf16 "
        "or openvino-int8",
    )
    generator: str = Field("SmolLM2-135M-Instruct", description="name or folder of the base language model")
    generator_languages: list[str] = Field(["en"], description="languages that the base model speaks")
    variant: str = Field("base", description="who generates when a request does not say")
    variants: dict[str, VariantSettings] = Field(
        {}, description="variants that other engines compute, a table [variants.NAME] each"
    )
    ensembles: dict[str, EnsembleSettings] = Field(
        {}, description="variants that make one answer of several members', a table [ensembles.NAME] each"
    )
    pipelines: dict[str, PipelineSettings] = Field(
        {}, description="variants that answer in steps, a table [pipelines.NAME] each"
    )
    models: HomePath = Field(
        Path(".tekio/models"),
        description="folder of the models made in the lab, each a variant under its name",
    )
    policies: dict[str, PolicySettings] = Field(
        {}, description="variants that choose who answers each question, a table [policies.NAME] each"
    )
    policy_files: Path = Field(
        Path(".tekio/policies"), description="folder of the trained policies, one folder each"
    )
    trial_variant: str | None = Field(
        None, description="who generates for a share of the requests that do not say, blind, to be compared"
    )
    trial_share: float = Field(0.5, ge=0, le=1, description="share of the requests that `trial_variant` gets")
    technique: Technique = Field(
        Technique.ZERO_SHOT, description="how the prompt is built when a request does not say"
    )

    @field_validator("variants")
    @classmethod
    def _fit_names(cls, value: dict[str, VariantSettings]) -> dict[str, VariantSettings]:
        check_variant_names(value)
        return value

    @property
    def composed(self) -> dict[str, EnsembleSettings | PipelineSettings | PolicySettings]:
        """The variants that make their answers of others' answers."""
        return {**self.ensembles, **self.pipelines, **self.policies}

    @property
    def blends(self) -> frozenset[str]:
        """The ensembles that mix next tokens, and so answer as one model does."""
        return frozenset(name for name, told in self.ensembles.items() if told.rule in TOKEN_RULES)

    @property
    def named_variants(self) -> list[str]:
        """The names of all variants that answer questions but the base, adapters and `extractive`.

        They are those that the settings make, and the models of the lab that write text.
        """
        silent = [name for name, pipeline in self.pipelines.items() if pipeline.answering is None]
        made = [*self.variants, *(name for name in self.composed if name not in silent)]
        return [*made, *list_lab_variants(self.models)]
