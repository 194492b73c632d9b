"""A model written with its weights in few bits. Importing this imports torch and transformers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import nn

from adaptation.lab.quantising.rounding import layers_in_four_bits
from kernel.chat.paged.shortlist import FILE as COMMON_WORDS
from kernel.chat.quantised import (
    CODES,
    CORRECTION_DOWN,
    CORRECTION_UP,
    INPUT_SCALE,
    SCALES,
    WEIGHT,
    Form,
    in_eight_bits,
    in_four_bits,
)

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
    "generation_config.json",
)


def write_quantised(
    model: Any, source: Path, out: Path, form: Form, input_scales: Mapping[str, float] | None = None
) -> None:
    """Write a model in a form, with the tokenizer of the folder that it came from.

    Linear layers and tables of words are rounded, and nothing else: norms, biases and positions are few and matter.
    What corrects layers is held in 8 bits.

    Args:
        model: of transformers, in float32.
        source: folder that the tokenizer is copied from.
        out: an empty folder.
        form: how weights are held.
        input_scales: of a static form, by the names of layers.
    """
    rounded_names = _names_to_round(model, form)
    tied = set(getattr(model, "all_tied_weights_keys", None) or ())
    tensors: dict[str, NDArray[Any]] = {}
    for name, tensor in model.state_dict().items():
        if name in tied:
            continue
        values = tensor.detach().float().cpu().numpy()
        kind = rounded_names.get(name)
        if kind is None:
            if name.endswith((CORRECTION_DOWN, CORRECTION_UP)):
                parts = in_eight_bits(np.ascontiguousarray(values))
                tensors |= {name: parts[CODES], f"{name}_scales": parts[SCALES]}
            else:
                tensors[name] = np.ascontiguousarray(values)
            continue
        parts = in_four_bits(values) if kind == 4 else in_eight_bits(values)
        stem = name.removesuffix(WEIGHT)
        tensors |= {f"{stem}{suffix}": np.ascontiguousarray(part) for suffix, part in parts.items()}
    for name, step in (input_scales or {}).items():
        tensors[f"{name}{INPUT_SCALE}"] = np.array([step], np.float32)
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    config = json.loads(model.config.to_json_string(use_diff=False))
    config.pop("_name_or_path", None)
    config["use_cache"] = True  # off while models learn
    config["architectures"] = [type(model).__name__]
    config["quantization_config"] = form.as_config()
    (out / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for file in (*TOKENIZER_FILES, COMMON_WORDS):
        if (source / file).is_file():
            shutil.copyfile(source / file, out / file)


def _names_to_round(model: Any, form: Form) -> dict[str, int]:
    """Return the names of weights that are rounded, with the bits that each gets."""
    kinds = {
        f"{name}{WEIGHT}": 8
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, nn.Embedding)) and _is_of_words(model, module)
    }
    if form.precision == "int4-weights":
        kinds |= {f"{name}{WEIGHT}": 4 for name, _ in layers_in_four_bits(model)}
    return kinds


def _is_of_words(model: Any, module: Any) -> bool:
    """Say whether a module is a linear layer, or a table of words rather than of positions."""
    return isinstance(module, nn.Linear) or module is model.get_input_embeddings()
