"""How many tokens can be computed at once in the memory that is free."""

from __future__ import annotations

from typing import Any

MOST = 2048
"""Tokens of a pack, at most: twice as many were 1 % faster on two cores."""
LEAST = 128
_SHARE = 0.5
"""Of the free memory that activations may take; the rest is for gradients, the optimiser and whoever else works."""
_KEPT_HIDDEN, _KEPT_INNER, _KEPT_HEADS = 12, 4, 2
"""Values that are kept a token and layer for the way back: as often as the hidden and the inner size of the
feed-forward part, and a token, head and token that it sees, as counted in the decoders of transformers."""
_SEEN = 768
"""Tokens that a token of a pack sees, about, at most: those of its branch and above it."""


def tokens_at_once(config: Any, *, layers: int, free: int, width: int = 4) -> int:
    """Return the tokens of a pack, a power of two, whose activations fit.

    Args:
        config: transformers' of the base.
        layers: that something is differentiated in.
        free: bytes.
        width: bytes of a value.
    """
    hidden = int(config.hidden_size)
    inner = int(getattr(config, "intermediate_size", 4 * hidden))
    heads = int(getattr(config, "num_attention_heads", 1))
    tokens = MOST
    while tokens > LEAST:
        a_token = layers * kept_a_token(hidden, inner, heads, min(tokens, _SEEN))
        if tokens * a_token * width <= _SHARE * free:
            break
        tokens //= 2
    return tokens


def kept_a_token(hidden: int, inner: int, heads: int, seen: int) -> int:
    """Return the values that are kept a token in a layer for the way back.

    Args:
        hidden: size of the hidden states.
        inner: size of the feed-forward part.
        heads: of the attention.
        seen: tokens that a token sees.
    """
    return _KEPT_HIDDEN * hidden + _KEPT_INNER * inner + _KEPT_HEADS * heads * seen


def free_bytes() -> int:
    """Return how much memory is free where models are computed."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    import psutil

    return int(psutil.virtual_memory().available)
