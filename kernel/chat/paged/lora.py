"""LoRA adapters as the engine takes them: the matrices of all of them, stacked along their ranks."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kernel.chat.adapters import CONFIG_FILE, WEIGHTS_FILE
from kernel.chat.paged.weights import Weights
from retrieval.errors import UsageError

_PREFIX = "base_model.model."
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Lora:
    """An adapter: for each layer that it changes, the matrix down, (rank, in), and the one up, (out, rank), scaled."""

    name: str
    rank: int
    parts: Mapping[str, tuple[Floats, Floats]]


def is_plain_lora(folder: Path) -> bool:
    """Tell whether an adapter is one that this engine computes; the other kinds are transformers'."""
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if config.get("peft_type") != "LORA" or config.get("use_dora"):
        return False
    others = (
        "rank_pattern",
        "alpha_pattern",
        "modules_to_save",
        "layer_replication",
        "trainable_token_indices",
    )
    return not any(config.get(name) for name in others) and not config.get("lora_bias")


def read_lora(folder: Path, name: str) -> Lora:
    """Read an adapter that was checked.

    Raises:
        UsageError: it changes a layer that the engine does not know, or half of it is missing.
    """
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    rank = int(config["r"])
    scale = float(config["lora_alpha"]) / (math.sqrt(rank) if config.get("use_rslora") else rank)
    held = Weights(folder, WEIGHTS_FILE)
    parts: dict[str, tuple[Floats, Floats]] = {}
    names = held.names()
    for key in names:
        layer = key.removeprefix(_PREFIX).removesuffix(_DOWN).removesuffix(_UP)
        whole = {f"{_PREFIX}{layer}{_DOWN}", f"{_PREFIX}{layer}{_UP}"}
        if layer.rpartition(".")[2] not in _LAYERS or not whole <= set(names):
            raise UsageError(f"the adapter in {folder} does not fit the base: keys left over, e.g. {key}")
        parts[layer] = (held.get(f"{_PREFIX}{layer}{_DOWN}"), scale * held.get(f"{_PREFIX}{layer}{_UP}"))
    return Lora(name, rank, parts)


def stacked(
    adapters: Sequence[Lora], names: Sequence[str], widths: Sequence[int]
) -> tuple[Floats, Floats] | None:
    """Return the matrices of all adapters for layers that share their input; None where no adapter changes them.

    Args:
        adapters: in the order of their ranks.
        names: of the layers, whose outputs stand behind one another.
        widths: of their outputs.

    Returns:
        down, shape (layers * ranks, in), and up, shape (sum of widths, layers * ranks), in blocks along the diagonal.
    """
    inside = next(
        (adapter.parts[name][0].shape[1] for adapter in adapters for name in names if name in adapter.parts),
        None,
    )
    if inside is None:
        return None
    ranks = sum(adapter.rank for adapter in adapters)
    down = np.zeros((len(names) * ranks, inside), np.float32)
    up = np.zeros((sum(widths), len(names) * ranks), np.float32)
    row = 0
    for number, (name, width) in enumerate(zip(names, widths, strict=True)):
        column = number * ranks
        for adapter in adapters:
            if name in adapter.parts:
                first, second = adapter.parts[name]
                down[column : column + adapter.rank] = first
                up[row : row + width, column : column + adapter.rank] = second
            column += adapter.rank
        row += width
    return down, up
