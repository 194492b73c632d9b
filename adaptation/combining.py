"""Several adapters over one base as one: each task's is trained apart, and they are added up by weight.

The sum of low-rank changes is a low-rank change: their matrices are put side by side, each scaled by its weight, so
that the combination is exact, loads as any adapter does and costs the sum of the ranks. Source: Huang et al.,
"LoraHub", COLM 2024, which adds up adapters of several tasks; the form is that of PEFT's `cat` combination.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernel.chat.adapters import AdapterCard, check_adapter, kind_of
from retrieval.errors import TekioError, UsageError

_CONFIG = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"
_UPPER, _LOWER = ".lora_A.weight", ".lora_B.weight"
Matrices = dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]


def combine(
    parts: Sequence[tuple[str, float]], adapters: Path, name: str, *, base: str, base_folder: Path
) -> AdapterCard:
    """Write an adapter that is the weighted sum of others; return its card.

    Args:
        parts: names of adapters, each with its weight.
        adapters: the folder that they are in, and that it goes to.
        name: of the combination.
        base: name of the base.
        base_folder: of the base.

    Raises:
        UsageError: fewer than one adapter, one that does not fit the base or is no plain LoRA, a weight that is no
            number, or a name that is taken.
        TekioError: it cannot be written.
    """
    if not parts or len({each for each, _ in parts}) < len(parts):
        raise UsageError("name different adapters to combine, each with its weight: NAME:WEIGHT")
    if not all(math.isfinite(weight) and weight for _, weight in parts):
        raise UsageError("the weight of an adapter is a number other than 0")
    out = adapters / name
    if out.exists():
        raise UsageError(f"there is an adapter '{name}' in {adapters}: choose another name")
    cards = [check_adapter(adapters / each, base=base, base_folder=base_folder) for each, _ in parts]
    for each, _ in parts:
        if kind_of(adapters / each) != "LORA":
            raise UsageError(
                f"'{each}' is of the kind {kind_of(adapters / each)}: only LoRA adapters are added up"
            )
    configs = [_plain_config(adapters / each) for each, _ in parts]
    held = [_matrices(adapters / each, config) for (each, _), config in zip(parts, configs, strict=True)]
    summed = add_up(held, [weight for _, weight in parts])
    rank = next(iter(summed.values()))[0].shape[0]
    card = AdapterCard(
        base=base,
        base_fingerprint=cards[0].base_fingerprint,
        base_revision=cards[0].base_revision,
        template_sha256=cards[0].template_sha256,
        method="parallel" if len({weight for _, weight in parts}) == 1 else "scaled_parallel",
        languages=sorted({language for card in cards for language in card.languages}),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        recipe={"parts": dict(parts), "rank": rank},
    )
    config = configs[0] | {
        "r": rank,
        "lora_alpha": rank,
        "target_modules": sorted({str(module) for each in configs for module in each["target_modules"]}),
        "layers_to_transform": sorted({layer for module in summed if (layer := _layer(module)) is not None})
        or None,
        "rank_pattern": {},
        "alpha_pattern": {},
        "use_rslora": False,
    }
    _write(out, config, summed, card)
    return card


def add_up(parts: Sequence[Matrices], weights: Sequence[float]) -> Matrices:
    """Return the sum of changes, each a product of two matrices, as one such product of the ranks together.

    Args:
        parts: by module (lower, scaled) matrices of shapes (rank, in) and (out, rank); what a part lacks is zero there.
        weights: of the parts.
    """
    ranks = [next(iter(part.values()))[0].shape[0] for part in parts]
    shapes = {module: (pair[0].shape[1], pair[1].shape[0]) for part in parts for module, pair in part.items()}
    summed: Matrices = {}
    for module, (inner, outer) in sorted(shapes.items()):
        first, second = [], []
        for part, weight, rank in zip(parts, weights, ranks, strict=True):
            down, up = part.get(
                module, (np.zeros((rank, inner), np.float32), np.zeros((outer, rank), np.float32))
            )
            first.append(down)
            second.append(np.float32(weight) * up)
        summed[module] = (np.concatenate(first), np.concatenate(second, axis=1))
    return summed


def _plain_config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    odd = [name for name in ("use_dora", "use_rslora", "rank_pattern", "alpha_pattern") if config.get(name)]
    if odd or not isinstance(config.get("target_modules"), list):
        raise UsageError(
            f"the adapter in {folder} is no plain LoRA ({', '.join(odd) or 'its modules'}): it cannot be added up"
        )
    return config


def _matrices(folder: Path, config: Mapping[str, Any]) -> Matrices:
    """Return the matrices of an adapter by module, the second with the adapter's own scale in it."""
    from safetensors.torch import load_file

    scale = np.float32(config["lora_alpha"] / config["r"])
    held = {name: tensor.float().numpy() for name, tensor in load_file(folder / _WEIGHTS).items()}
    modules = [name.removesuffix(_UPPER) for name in held if name.endswith(_UPPER)]
    return {module: (held[module + _UPPER], scale * held[module + _LOWER]) for module in modules}


def _layer(module: str) -> int | None:
    found = module.split(".layers.")
    number = found[1].split(".")[0] if len(found) > 1 else ""
    return int(number) if number.isdigit() else None


def _write(out: Path, config: Mapping[str, Any], matrices: Matrices, card: AdapterCard) -> None:
    from safetensors.numpy import save_file

    tensors = {}
    for module, (down, up) in matrices.items():
        tensors[module + _UPPER], tensors[module + _LOWER] = down, np.ascontiguousarray(up)
    work = None
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
        save_file(tensors, work / _WEIGHTS, metadata={"format": "pt"})
        (work / _CONFIG).write_text(
            json.dumps(dict(config), indent=2, sort_keys=True) + "\n", encoding="utf-8"
        )
        card.write(work)
        work.chmod(0o755)
        work.rename(out)
    except OSError as error:
        raise TekioError(f"{out} cannot be written ({error.strerror or error}): free some space") from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
