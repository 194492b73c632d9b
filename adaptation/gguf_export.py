"""An adapter as llama.cpp loads it: LoRA's two matrices of each layer in a GGUF file.

Names are those of the `gguf` package, the form that of llama.cpp's adapters (`general.type` "adapter", `adapter.type`
"lora", matrices `NAME.lora_a` and `NAME.lora_b`). Importing this imports gguf and safetensors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from kernel.chat.adapters import CONFIG_FILE, WEIGHTS_FILE
from retrieval.errors import UsageError

ARCHITECTURES = {
    "llama": gguf.MODEL_ARCH.LLAMA,
    "mistral": gguf.MODEL_ARCH.LLAMA,
    "qwen2": gguf.MODEL_ARCH.QWEN2,
    "qwen3": gguf.MODEL_ARCH.QWEN3,
    "gemma2": gguf.MODEL_ARCH.GEMMA2,
    "gemma3_text": gguf.MODEL_ARCH.GEMMA3,
    "phi3": gguf.MODEL_ARCH.PHI3,
}
HALVES_APART = frozenset({"llama", "mistral"})
"""Architectures whose rotary halves llama.cpp keeps interleaved, so that rows of queries and keys change places."""
_PREFIX = "base_model.model."
_PARTS = {".lora_A.weight": ".lora_a", ".lora_B.weight": ".lora_b"}


def write_gguf(adapter: Path, base_folder: Path, file: Path) -> None:
    """Write a LoRA adapter as GGUF, in half precision.

    Args:
        adapter: its folder, checked before.
        base_folder: the base as transformers reads it.
        file: to write.

    Raises:
        UsageError: the base's architecture, or the adapter's kind, is none that this is known for.
        OSError: it cannot be written.
    """
    config = json.loads((adapter / CONFIG_FILE).read_text(encoding="utf-8"))
    base = json.loads((base_folder / "config.json").read_text(encoding="utf-8"))
    kind = str(base.get("model_type"))
    if kind not in ARCHITECTURES:
        raise UsageError(
            f"adapters over the architecture '{kind}' cannot be written as GGUF; of these they can: "
            f"{', '.join(ARCHITECTURES)}"
        )
    if config.get("rank_pattern") or config.get("alpha_pattern"):
        raise UsageError(f"{adapter.name} has several ranks, which GGUF has no place for: merge it")
    architecture = ARCHITECTURES[kind]
    names = gguf.get_tensor_name_map(architecture, int(base["num_hidden_layers"]))
    writer = gguf.GGUFWriter(file, gguf.MODEL_ARCH_NAMES[architecture])
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    scale = np.sqrt(config["r"]) if config.get("use_rslora") else 1.0
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(config["lora_alpha"] * scale))
    for name, matrix in _renamed(adapter, names, base, swap=kind in HALVES_APART):
        writer.add_tensor(name, matrix)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _renamed(
    adapter: Path, names: gguf.TensorNameMap, base: Mapping[str, Any], *, swap: bool
) -> list[tuple[str, NDArray[np.float16]]]:
    found = []
    with safe_open(adapter / WEIGHTS_FILE, framework="pt") as held:
        for key in sorted(held.keys()):
            part = next((own for own in _PARTS if key.endswith(own)), None)
            module = key.removeprefix(_PREFIX).removesuffix(part or "")
            name = names.get_name(f"{module}.weight", try_suffixes=(".weight",))
            if part is None or name is None:
                raise UsageError(f"llama.cpp has no place for the part {key} of {adapter.name}: merge it")
            matrix: NDArray[np.float32] = held.get_tensor(key).float().numpy()
            if swap and part == ".lora_B.weight" and module.endswith(("q_proj", "k_proj")):
                heads = base["num_attention_heads"]
                if module.endswith("k_proj"):
                    heads = base.get("num_key_value_heads") or heads
                matrix = interleaved(matrix, int(heads))
            found.append((f"{name}{_PARTS[part]}", matrix.astype(np.float16)))
    return found


def interleaved(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return rows with the two halves of each head in turn, as llama.cpp turns queries and keys.

    Args:
        rows: shape (heads * 2 * half, any).
        heads: of queries or keys.
    """
    half = rows.shape[0] // heads // 2
    return np.ascontiguousarray(rows.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(rows.shape))
