"""What computes the language model, how many questions at a time, and what it may take of the machine."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from kernel.variant_settings import Precision


class Computing(BaseModel, frozen=True):
    """Engine, weights, slots and memory."""

    generator_engine: Literal["auto", "openvino", "torch", "transformers"] = Field(
        "auto",
        description="what computes the language model: openvino, or torch on a GPU, which serve many at once, "
        "transformers, or auto",
    )
    precision: Precision = Field(
        "auto",
        description="weights of the language model in openvino, where auto is int8, and in torch, where it is as dtype",
    )
    dtype: str = Field(
        "auto",
        pattern="^(auto|float32|bfloat16)$",
        description="weights of the language model in torch and transformers",
    )
    slots: int = Field(8, ge=1, le=1024, description="questions that the language model answers at a time")
    queue: int = Field(64, ge=1, le=100_000, description="questions that may wait for the language model")
    answer_seconds: float = Field(
        120, ge=0, description="longest time that the language model may take for an answer; 0: any"
    )
    kv_cache_mb: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="memory for what the language model has read, and keeps; 0: what is left of a GPU, else 512",
    )
    gpu_memory_share: float = Field(
        0.9, gt=0, le=1, description="share of a GPU's memory that all models together may take"
    )
    guessed_tokens: int = Field(
        8, ge=0, le=64, description="most tokens that are guessed ahead and checked in one step; 0: none"
    )
    draft: str = Field(
        "",
        description="name or folder of a smaller model of the same words that guesses ahead; empty: guesses are looked "
        "up in the prompt",
    )
    draft_precision: Precision = Field(
        "auto", description="weights of the draft, as precision; auto: as those of the language model"
    )
    draft_words: int = Field(
        0, ge=0, description="the draft guesses among so many of its commonest words; 0: among all"
    )
    threads: int = Field(0, ge=0, description="threads of the models; 0 leaves it to torch")
