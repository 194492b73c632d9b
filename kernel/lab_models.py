"""Models that the lab made, each a folder with its card beside its weights: variants under their folders' names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kernel.chat.quantised import form_of
from kernel.model_packages.manifest import LAB_CARD, has_model
from kernel.variant_settings import VariantSettings
from retrieval.errors import UsageError

_WRITES = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
"""How transformers ends the names of architectures that write text."""


def list_lab_models(models: Path) -> list[str]:
    """Name the models in a folder that the lab made."""
    return sorted(path.name for path in models.glob("*") if not path.name.startswith(".") and _is_whole(path))


def find_lab_model(name: str, models: Path) -> Path | None:
    """Return the folder of a model that the lab made; None where none has this name."""
    return (models / name).absolute() if name in list_lab_models(models) else None


def lab_variant(name: str, folder: Path) -> VariantSettings:
    """Return how a model of the lab answers: as the base is computed, its weights held as its folder holds them.

    Raises:
        UsageError: it is of a kind that writes no text, or its configuration cannot be read.
    """
    try:
        held: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"the model '{name}' cannot be read ({error}): make it again") from error
    kinds = [str(each) for each in held.get("architectures") or []]
    if kinds and not any(each.endswith(_WRITES) for each in kinds):
        raise UsageError(f"the model '{name}' writes no text ({', '.join(kinds)}), so that it cannot answer")
    if held.get("is_encoder_decoder"):
        return VariantSettings(engine="seq2seq", model=str(folder))
    form = form_of(folder)
    return VariantSettings(
        engine="local", model=str(folder), precision="auto" if form is None else form.precision
    )


def _is_whole(folder: Path) -> bool:
    return (folder / LAB_CARD).is_file() and has_model(folder)


__all__ = ["LAB_CARD", "find_lab_model", "lab_variant", "list_lab_models"]
