"""The recipe of a model from scratch: a TOML file with a table for each of the five steps."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retrieval.errors import UsageError

Kind = Literal["decoder", "encoder", "encoder-decoder"]
Schedule = Literal["cosine", "linear", "constant"]
Optimiser = Literal["adamw", "muon"]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Task(_Table):
    """What the model is for, and by which figure it is told whether that was reached."""

    purpose: str = Field("", description="what the model is for, in words")
    measure: Literal["perplexity", "bits_per_byte"] = Field(
        "perplexity", description="of held-out text; bits_per_byte compares models of different tokenizers"
    )
    goal: float = Field(
        0.0, ge=0, description="what the measure has to fall to; 0: below the n-gram on the same tokens"
    )
    question: str = Field("", description="what the trained model is given to go on from, once")


class Data(_Table):
    """Where texts come from, and what is taken out of them."""

    sources: list[Path] = Field([], description="files and folders; beside the recipe unless absolute")
    languages: list[str] = Field(["ja", "en"], description="languages that are kept")
    held_out: float = Field(0.1, gt=0, lt=0.5, description="share of the texts that is measured on")
    shortest: int = Field(80, ge=1, description="characters below which a text is left out")
    boilerplate: float = Field(
        0.05, gt=0, le=1, description="share of the texts from which on a line they share is left out"
    )
    alike: float = Field(
        0.8, gt=0.5, le=1, description="share of common shingles from which on a text is a near-duplicate"
    )
    personal: bool = Field(True, description="take out e-mail addresses and telephone numbers")


class Words(_Table):
    """The tokenizer."""

    kind: Literal["best", "bpe", "sentencepiece"] = Field(
        "best", description="best: whichever needs fewer tokens for the languages, each counted alike"
    )
    size: int = Field(8192, ge=300, le=60_000, description="tokens of the vocabulary, at most")


class Architecture(_Table):
    """The network; `tekio adapt pretrain --plan` shows what each costs."""

    kind: Kind = Field("decoder", description="what stands before the others' text reads it, or all of it")
    size: str = Field("mini", description="a row of the table of architectures")
    positions: int = Field(2048, ge=32, description="tokens of a prompt, at most")
    retrieval: bool = Field(
        False, description="put the most alike window of another text before each that is learned"
    )


class Training(_Table):
    """How it learns: from windows of the texts, all of one length."""

    window: int = Field(256, ge=16, description="tokens that are read together")
    batch: int = Field(8, ge=1, description="windows of a step, over all processes")
    accumulation: int = Field(1, ge=1, description="parts that the windows of a step are computed in")
    epochs: float = Field(5.0, gt=0, description="how often each window is learned")
    steps: int = Field(0, ge=0, description="optimiser steps, in place of epochs; 0 takes the epochs")
    optimiser: Optimiser = Field(
        "adamw",
        description="muon: for the matrices between layers, AdamW for the rest; learns more of each token",
    )
    rate: float = Field(1e-3, gt=0, le=1, description="learning rate at its highest")
    schedule: Schedule = Field("cosine", description="how the rate falls after the warm-up")
    warm_up: float = Field(0.05, ge=0, lt=1, description="share of the steps in which the rate rises")
    decay: float = Field(0.1, ge=0, lt=1, description="of the weights")
    clip: float = Field(1.0, ge=0, description="the norm that gradients are cut to; 0: none")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of values that is left out while it learns")
    smoothing: float = Field(0.0, ge=0, lt=1, description="of labels")
    patience: int = Field(3, ge=0, description="evaluations without a gain after which it stops; 0: never")
    checkpointing: bool = Field(False, description="compute activations again, for less memory")
    fsdp: str = Field("", description="FSDP's options under `accelerate launch`, e.g. full_shard auto_wrap")
    deepspeed: Path | None = Field(None, description="DeepSpeed's configuration, under `accelerate launch`")
    seed: int = Field(0, ge=0, description="decides all that is drawn by chance")


class PretrainRecipe(_Table):
    """Everything that makes a model from scratch."""

    task: Task = Task()
    data: Data = Data()
    tokenizer: Words = Words()
    model: Architecture = Architecture()
    training: Training = Training()

    def digest(self, corpus: str) -> str:
        """Return what tells two trainings apart, so that none goes on as another; `corpus` names the texts."""
        told = self.model_dump(mode="json", exclude={"task": True, "data": {"sources"}})
        return hashlib.sha256(json.dumps([told, corpus], sort_keys=True).encode()).hexdigest()

    def with_training(self, **changed: Any) -> PretrainRecipe:
        """Return the recipe with other numbers of the training."""
        return self.model_copy(update={"training": self.training.model_copy(update=changed)})


def read_recipe(path: Path) -> PretrainRecipe:
    """Read a recipe; the sources that it names are beside it.

    Raises:
        UsageError: it cannot be read, is no TOML, or names what there is not.
    """
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the recipe {path} cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the recipe {path} is no TOML: {error}") from error
    recipe = checked(held, f"the recipe {path}")
    sources = [path.parent / source.expanduser() for source in recipe.data.sources]
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"sources": sources})})


def checked(held: dict[str, Any], where: str) -> PretrainRecipe:
    """Return the recipe of a dictionary.

    Raises:
        UsageError: a key is unknown or a value out of range; the first one is named.
    """
    try:
        return PretrainRecipe.model_validate(held)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{where}: {key}: {first['msg'].removeprefix('Value error, ')}") from error


def changed(recipe: PretrainRecipe, settings: Sequence[str]) -> PretrainRecipe:
    """Return a recipe with some of its keys set, each as `table.key=value`.

    Raises:
        UsageError: one is written otherwise, its key is unknown or its value out of range.
    """
    held = recipe.model_dump()
    for setting in settings:
        key, equals, value = setting.partition("=")
        table, dot, name = key.strip().partition(".")
        if not equals or not dot or table not in held:
            raise UsageError(
                f"'{setting}' is no setting of a recipe: write table.key=value, such as training.steps=500; the tables "
                f"are {', '.join(held)}"
            )
        held[table] = held[table] | {name: _value(value.strip())}
    return checked(held, "--set") if settings else recipe


def _value(text: str) -> Any:
    """Return what a text says in TOML; a word without quotes is that word."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
