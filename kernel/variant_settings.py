"""What the settings say of variants that another engine computes: one table `[variants.NAME]` each."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from kernel.variant_names import BASE, EXTRACTIVE
from plugins.external.attachment import is_address
from retrieval.errors import UsageError

Precision = Literal["auto", "float32", "bfloat16", "int8", "int8-weights", "int4-weights"]
"""How weights are held while a model is computed."""
RemoteEngine = Literal["openai", "llama.cpp", "seq2seq", "local"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_LONGEST_WORD = 20
"""Letters and digits in one piece that a variable's name has; keys have more."""


class VariantSettings(BaseModel):
    """One variant that another engine computes, and within what bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: RemoteEngine = Field(
        description="openai: a server that speaks its protocol; llama.cpp: its server; seq2seq: an encoder-decoder "
        "model such as a T5, in this process; local: as the base is computed, with a model or a precision of its own"
    )
    address: str = Field(
        "", description="openai: where the server's protocol begins, http://127.0.0.1:8000/v1"
    )
    model: str = Field(
        "",
        description="openai: name of the model or adapter on that server; llama.cpp: a GGUF file, empty: that of "
        "the base model; seq2seq: a model's folder, or its name; local: the same, empty: the base model",
    )
    precision: Precision = Field("auto", description="local: of its weights, as the setting of this name")
    draft: str = Field(
        "", description="local: name or folder of a smaller model of the same words that guesses ahead for it"
    )
    adapter: Path | None = Field(None, description="llama.cpp: a LoRA in a GGUF file, over the model")
    key: str = Field("", description="openai: NAME of the environment variable that holds the key")
    languages: list[str] = Field([], description="languages that it speaks; empty: those of the base model")
    window: int = Field(4096, ge=256, le=10_000_000, description="tokens of a prompt and its answer together")
    seconds: float = Field(120, gt=0, le=3600, description="longest time of a request")
    retries: int = Field(1, ge=0, le=10, description="times that a request is sent again that gave nothing")
    price_in: float = Field(
        0,
        ge=0,
        le=1_000_000,
        description="price of a million tokens of prompts, in any currency; 0: none is told",
    )
    price_out: float = Field(0, ge=0, le=1_000_000, description="price of a million generated tokens")
    slots: int = Field(2, ge=1, le=64, description="llama.cpp: requests that are computed at once")

    @field_validator("address")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not is_address(value):
            raise ValueError("it is an address, http://… or https://…, without a user or password in it")
        return value.rstrip("/")

    @field_validator("key")
    @classmethod
    def _name_of_a_variable(cls, value: str) -> str:
        # What it says stays out of the message: it may be the key.
        if value and (not _VARIABLE.fullmatch(value) or max(map(len, value.split("_"))) > _LONGEST_WORD):
            raise ValueError(
                "it is the name of an environment variable in capital letters, such as VLLM_KEY, never the key itself"
            )
        return value

    @field_validator("adapter")
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser()

    @model_validator(mode="after")
    def _fitting(self) -> VariantSettings:
        if self.engine == "openai":
            missing = [name for name in ("address", "model") if not getattr(self, name)]
            if missing:
                raise ValueError(f"the engine openai needs {' and '.join(missing)}")
            if self.adapter is not None:
                raise ValueError("an adapter on a server is a name: give it as the model")
        elif self.address or self.key:
            raise ValueError(
                "address and key belong to the engine openai; Tekio starts llama.cpp's server itself, and computes "
                "seq2seq and local itself"
            )
        elif self.engine == "local" and self.adapter is not None:
            raise ValueError("the engine local takes no adapter: adapters are variants over the base")
        elif self.engine == "seq2seq" and (not self.model or self.adapter is not None):
            raise ValueError("the engine seq2seq needs a model, and takes no adapter")
        if self.engine != "local" and self.precision != "auto":
            raise ValueError("precision belongs to the engine local")
        if self.engine != "local" and self.draft:
            raise ValueError("a draft belongs to the engine local")
        return self


def check_variant_names(variants: Collection[str]) -> None:
    """Raise a ValueError where a variant's name is taken, or can be no name."""
    for name in variants:
        if name in (BASE, EXTRACTIVE):
            raise ValueError(f"'{name}' is a variant of Tekio's own: give another name")
        if not _NAME.fullmatch(name):
            raise ValueError(
                "a variant's name has letters, digits, '.', '_' and '-', begins with a letter or digit, and is at "
                "most 100 characters long"
            )


def check_apart(variants: Collection[str], adapters: Collection[str], folder: Path) -> None:
    """Check that no variant has the name of an adapter or of another variant.

    Raises:
        UsageError: one has, so that it could not be told who is asked.
    """
    named = list(variants)
    for name in named:
        if named.count(name) > 1:
            raise UsageError(
                f"two variants are named '{name}': a model made in the lab and a table of the settings; "
                "rename one of them"
            )
        if name in adapters:
            raise UsageError(
                f"two variants are named '{name}': an adapter in {folder}, and a table of the settings or a model made "
                "in the lab; rename one of them"
            )
