"""What is known of a decoder, against transformers' own models of the same configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

from kernel.chat.paged.architecture import Architecture, UnknownArchitectureError
from kernel.chat.paged.model import PagedModel
from kernel.chat.paged.step import Row

SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": 256,
    "max_position_embeddings": 4096,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 256,
}
CONFIGS = {
    "llama": LlamaConfig(**SIZES),
    "tied": LlamaConfig(**SIZES, tie_word_embeddings=True),
    "llama 3": LlamaConfig(**SIZES, rope_parameters=LLAMA3),
    "linear": LlamaConfig(
        **SIZES, rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 10_000.0}
    ),
    "mistral": MistralConfig(**SIZES, sliding_window=None),
    "sliding": MistralConfig(**SIZES, sliding_window=48),
    "qwen2": Qwen2Config(**SIZES),
    "qwen3": Qwen3Config(**SIZES),
}


def saved(config: Any, folder: Path) -> Any:
    torch.manual_seed(0)
    made: Any = AutoModelForCausalLM
    model = made.from_config(config, dtype=torch.float32).eval()
    for name, values in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(values)
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("name", CONFIGS)
def test_logits_are_those_of_transformers(name: str, tmp_path: Path) -> None:
    model = saved(CONFIGS[name], tmp_path)
    ids = torch.randint(0, 256, (1, 150), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted = model(ids).logits[0, -5:].numpy()
    paged = PagedModel(tmp_path, precision="float32", threads=1, cache_mb=16, kv_precision="f32")
    (found,) = paged.run([Row(ids[0].tolist(), 0, range(5), None, 5)])
    np.testing.assert_allclose(found, wanted, atol=2e-4)


def changed(folder: Path, **more: object) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | more), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"model_type": "gpt2"}, "kind 'gpt2'"),
        ({"hidden_act": "gelu"}, "hidden_act = gelu"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "'yarn'"),
    ],
)
def test_what_another_engine_has_to_compute_is_said(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    CONFIGS["llama"].save_pretrained(tmp_path)
    Architecture.read(tmp_path)
    with pytest.raises(UnknownArchitectureError, match=said):
        Architecture.read(changed(tmp_path, **more))


def test_a_folder_without_a_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownArchitectureError, match="cannot be read"):
        Architecture.read(tmp_path)
