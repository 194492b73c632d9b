"""Models that the lab made, each a folder with its card beside its weights: variants under their folders' names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from kernel.model_packages.manifest import LAB_CARD, has_model
from kernel.variant_settings import VariantSettings
from retrieval.errors import UsageError

READER_HEAD = "head.safetensors"
"""The file by which a model is known that reads passages for the words that answer."""
_WRITES = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
"""How transformers ends the names of architectures that write text."""


def list_lab_models(models: Path) -> list[str]:
    """Name the models in a folder that the lab made."""
    return sorted(path.name for path in models.glob("*") if not path.name.startswith(".") and _is_whole(path))


def list_lab_variants(models: Path) -> list[str]:
    """Name those that write text, and so can answer; one whose configuration is broken is told when it is asked."""
    return [name for name in list_lab_models(models) if writes_text(models / name)]


def find_lab_model(name: str, models: Path) -> Path | None:
    """Return the folder of a model that the lab made; None where none has this name."""
    return (models / name).absolute() if name in list_lab_models(models) else None


def model_source(name: str, models: Path) -> str:
    """Return how the model store finds a model: the folder of one of the lab by its name, any other as it is named."""
    made = find_lab_model(name, models) if name else None
    return name if made is None else str(made)


def lab_variant(name: str, folder: Path) -> VariantSettings:
    """Return how a model of the lab answers: as the base is computed, its weights held as its folder holds them.

    Raises:
        UsageError: it is of a kind that writes no text, or its configuration cannot be read.
    """
    try:
        held = _config_of(folder)
    except (OSError, ValueError) as error:
        raise UsageError(f"the model '{name}' cannot be read ({error}): make it again") from error
    if (folder / READER_HEAD).is_file():
        raise UsageError(
            f"the model '{name}' reads passages and writes no text: `reading_model = \"{name}\"` in tekio.toml "
            "has it read"
        )
    if not writes_text(folder):
        kinds = ", ".join(_architectures(held))
        raise UsageError(f"the model '{name}' writes no text ({kinds}), so that it cannot answer")
    if lab_engine(folder) == "seq2seq":
        return VariantSettings(engine="seq2seq", model=str(folder))
    from kernel.chat.quantised import form_of  # numpy, which settings do without

    form = form_of(folder)
    return VariantSettings(
        engine="local", model=str(folder), precision="auto" if form is None else form.precision
    )


def lab_engine(folder: Path) -> Literal["local", "seq2seq"]:
    """Name what computes a model; one whose configuration is broken is told of when it is asked."""
    try:
        return "seq2seq" if _config_of(folder).get("is_encoder_decoder") else "local"
    except (OSError, ValueError):
        return "local"


def writes_text(folder: Path) -> bool:
    """Say whether a model is of a kind that writes; one that does not tell its kind is held to."""
    try:
        kinds = _architectures(_config_of(folder))
    except (OSError, ValueError):
        return True
    return not kinds or any(each.endswith(_WRITES) for each in kinds)


def _config_of(folder: Path) -> dict[str, Any]:
    held: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return held


def _architectures(config: dict[str, Any]) -> list[str]:
    return [str(each) for each in config.get("architectures") or []]


def _is_whole(folder: Path) -> bool:
    return (folder / LAB_CARD).is_file() and has_model(folder)


__all__ = [
    "LAB_CARD",
    "READER_HEAD",
    "find_lab_model",
    "lab_engine",
    "lab_variant",
    "list_lab_models",
    "list_lab_variants",
    "model_source",
    "writes_text",
]
