"""A dense model of two layers, and two made-up languages to learn: real parts, at a size of no cost."""

from __future__ import annotations

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

WORDS = 48
_NUMBERS: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 64,
    "tie_word_embeddings": True,
    "bos_token_id": 0,
    "eos_token_id": 1,
}


def tiny_llama(**changed: Any) -> Any:
    """A dense model that knows nothing, drawn by a seed."""
    torch.manual_seed(0)
    model: Any = LlamaForCausalLM(LlamaConfig(**(_NUMBERS | changed)))
    return model.eval()


def languages(count: int, length: int, *, start: int = 0) -> list[tuple[int, ...]]:
    """Windows of two languages in turn: one counts its 23 words up by one, the other its own by three."""
    found = []
    for number in range(start, start + count):
        first, step = (2, 1) if number % 2 else (25, 3)
        found.append(tuple(first + (number * 7 + step * place) % 23 for place in range(length)))
    return found


def held_languages(count: int, length: int) -> dict[str, tuple[tuple[tuple[int, ...], ...], ...]]:
    """Texts of each language, a window each."""
    windows = languages(2 * count, length, start=1000)
    return {
        "by one": tuple((each,) for each in windows[1::2]),
        "by three": tuple((each,) for each in windows[0::2]),
    }


def last_logits(model: Any, rows: int = 3) -> torch.Tensor:
    """What a model predicts for some windows."""
    ids = torch.tensor(languages(rows, 12))
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=ids).logits
    return logits


def shaken(model: Any, size: float = 0.05) -> Any:
    """A model whose weights all differ from what they were, those that are not trained excepted."""
    drawn = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(size * torch.randn(weight.shape, generator=drawn))
    return model
