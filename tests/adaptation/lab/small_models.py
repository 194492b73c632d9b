"""Models and training sets for tests of the lab: real ones, at a size of no cost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from tests.adaptation.conftest import cut_words
from tests.adaptation.trained import write_set

COLOURS = ("red", "green", "blue", "grey", "black", "white")
WORDS = 2048
"""That models of the lab's tests have, the first of those of the default model."""
THINGS = ("pump", "valve", "filter", "ladder", "lamp", "cable", "trolley", "scale", "printer", "drill")


def make_small(whole: Path, folder: Path, **sizes: Any) -> Path:
    """Make a language model of four layers that knows nothing, with the first of the default model's words.

    Args:
        whole: folder of the default model, of which it has the tokenizer, cut short, and its template.
        folder: of the new one.
        sizes: of its configuration, in place of those here.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    shutil.copytree(
        whole, folder, ignore=shutil.ignore_patterns("*.safetensors", "*.xml", "*.bin", "config.json")
    )
    cut_words(folder, WORDS)
    chosen: dict[str, Any] = {
        "vocab_size": WORDS,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "initializer_range": 0.05,
    }
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**(chosen | sizes))).save_pretrained(folder)
    return folder


def cut_base(base: Path, folder: Path) -> Path:
    """Leave a model that has learned the first of its words, and the rows of its table that are theirs."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    cut_words(folder, WORDS)
    tensors = load_file(base / "model.safetensors")
    table = "model.embed_tokens.weight"
    tensors[table] = tensors[table][:WORDS].clone()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"vocab_size": WORDS}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def make_pairs(folder: Path) -> Path:
    """Make a training set of sixty short questions, some of them held out."""
    pairs = [
        (f"Which colour has the {thing} {number}?", f"The {thing} is {colour}.")
        for number, colour in enumerate(COLOURS)
        for thing in THINGS
    ]
    return write_set(folder, pairs, share=0.15)


def logits_of(model: Any, text: tuple[int, ...] = (5, 70, 900, 33, 12)) -> torch.Tensor:
    """Return what a model says behind each of some tokens, shape (tokens, vocabulary)."""
    model.eval()
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=torch.tensor([text])).logits[0]
    return found
