"""A model as a GGUF file for llama.cpp, its weights in the bits of its folder. Importing this imports gguf.

Weights in 4 bits become Q4_1 and those in 8 bits Q8_0; floats become F16. Of the former the codes are those of the
folder, of the latter the steps are for 32 values in place of a row. The format has no place for what corrects weights
in 4 bits, so that they become Q8_0 too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from adaptation.gguf_export import ARCHITECTURES, HALVES_APART, interleaved
from adaptation.lab.exporting.ran import Logits, logits_of
from kernel.chat.paged.weights import Weights
from kernel.chat.quantised import GROUP, form_of
from retrieval.errors import UsageError
from retrieval.model_building import building_in_turn

FILE = "model.gguf"
_WORDS = ("token_embd.weight", "output.weight")
_Q = gguf.GGMLQuantizationType


def write_model(folder: Path, out: Path) -> Path:
    """Write a model as GGUF; return the file.

    Args:
        folder: of the model.
        out: a folder that is there.

    Raises:
        UsageError: its architecture or tokenizer is none that this is known for.
    """
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kind = str(config.get("model_type"))
    if kind not in ("llama", "mistral", "qwen2", "qwen3"):
        raise UsageError(
            f"a model of the kind '{kind}' cannot be written as GGUF here; llama, mistral, qwen2 and qwen3 can: "
            "export it as onnx"
        )
    architecture = ARCHITECTURES[kind]
    writer = gguf.GGUFWriter(out / FILE, gguf.MODEL_ARCH_NAMES[architecture])
    _add_sizes(writer, config, folder.name)
    _add_words(writer, config, folder)
    names = gguf.get_tensor_name_map(architecture, int(config["num_hidden_layers"]))
    held, form = Weights(folder), form_of(folder)
    precision = None if form is None else "int8-weights" if form.rank else form.precision
    for name in held.names():
        there = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if there is None:
            raise UsageError(
                f"llama.cpp has no place for the part {name} of {folder.name}: export it as onnx"
            )
        values = held.get(name)
        if kind in HALVES_APART and (".q_proj." in name or ".k_proj." in name):
            heads = config["num_attention_heads"]
            if ".k_proj." in name:
                heads = config.get("num_key_value_heads") or heads
            values = interleaved(values if values.ndim == 2 else values[:, None], int(heads))
            values = values if name.endswith(".weight") else values[:, 0]
        type_of = _type_of(there, values, precision)
        writer.add_tensor(there, gguf.quantize(values, type_of), raw_dtype=type_of)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out / FILE


def _type_of(name: str, values: NDArray[np.float32], precision: str | None) -> gguf.GGMLQuantizationType:
    if values.ndim == 1:
        return _Q.F32
    if precision is None or values.shape[1] % GROUP:
        return _Q.F16
    return _Q.Q4_1 if precision == "int4-weights" and name not in _WORDS else _Q.Q8_0


def _add_sizes(writer: gguf.GGUFWriter, config: Mapping[str, Any], name: str) -> None:
    heads = int(config["num_attention_heads"])
    head = int(config.get("head_dim") or int(config["hidden_size"]) // heads)
    rope = dict(config.get("rope_parameters") or {})
    if (rope.get("rope_type") or "default") != "default" or config.get("rope_scaling"):
        raise UsageError(
            f"the positions of {name} are stretched, which is not written as GGUF here: export it as onnx"
        )
    writer.add_name(name)
    writer.add_context_length(int(config.get("max_position_embeddings") or 2048))
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_block_count(int(config["num_hidden_layers"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(heads)
    writer.add_head_count_kv(int(config.get("num_key_value_heads") or heads))
    writer.add_layer_norm_rms_eps(float(config.get("rms_norm_eps", 1e-6)))
    writer.add_rope_dimension_count(head)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0))
    writer.add_vocab_size(int(config["vocab_size"]))


def _add_words(writer: gguf.GGUFWriter, config: Mapping[str, Any], folder: Path) -> None:
    """Add a byte-level BPE vocabulary as llama.cpp reads it."""
    path = folder / "tokenizer.json"
    held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    model = held.get("model") or {}
    before = _splitting(held.get("pre_tokenizer") or {}, str(config.get("model_type")))
    if model.get("type") != "BPE" or before is None:
        raise UsageError(
            f"the tokenizer of {folder.name} is none that GGUF is written with here, byte-level BPE is: export the "
            "model as onnx"
        )
    added = {int(each["id"]): each for each in held.get("added_tokens") or []}
    by_id = {int(number): token for token, number in model["vocab"].items()}
    by_id |= {number: each["content"] for number, each in added.items()}
    count = int(config["vocab_size"])
    tokens = [by_id.get(number, f"[PAD{number}]") for number in range(count)]
    kinds = [
        gguf.TokenType.UNUSED
        if number not in by_id
        else gguf.TokenType.NORMAL
        if number not in added
        else gguf.TokenType.CONTROL
        if added[number].get("special")
        else gguf.TokenType.USER_DEFINED
        for number in range(count)
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(before)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([each if isinstance(each, str) else " ".join(each) for each in model["merges"]])
    for name, add in (
        ("bos_token_id", writer.add_bos_token_id),
        ("eos_token_id", writer.add_eos_token_id),
        ("pad_token_id", writer.add_pad_token_id),
    ):
        number = config.get(name)
        number = number[0] if isinstance(number, list) and number else number
        if isinstance(number, int):
            add(number)
    template = folder / "chat_template.jinja"
    if template.is_file():
        writer.add_chat_template(template.read_text(encoding="utf-8"))


def _splitting(told: Mapping[str, Any], kind: str) -> str | None:
    """Return llama.cpp's name of how a text is split before its words are looked up; None where it has none."""
    parts: Sequence[Mapping[str, Any]] = told.get("pretokenizers") or [told]
    types = [str(part.get("type")) for part in parts]
    if types == ["Digits", "ByteLevel"] and parts[0].get("individual_digits"):
        return "smollm"
    if types == ["ByteLevel"] and parts[0].get("use_regex", True):
        return "gpt-2"
    return "qwen2" if kind in ("qwen2", "qwen3") and types == ["Split", "ByteLevel"] else None


def gguf_logits(file: Path) -> Logits:
    """Return what gives the logits of a GGUF file, by transformers, which reads it as llama.cpp does."""
    import torch
    from transformers import AutoModelForCausalLM

    with building_in_turn():
        model: Any = AutoModelForCausalLM.from_pretrained(
            file.parent, gguf_file=file.name, dtype=torch.float32, local_files_only=True
        )
    model.eval()
    return lambda ids: logits_of(model, ids)


__all__ = ["gguf_logits", "write_model"]
