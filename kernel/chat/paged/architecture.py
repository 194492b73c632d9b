"""What is known of a decoder from its configuration, and whether the engine can compute it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernel.chat.quantised import form_in
from retrieval.errors import TekioError

_KINDS = ("llama", "mistral", "qwen2", "qwen3")


class UnknownArchitectureError(TekioError):
    """A model that another engine has to compute."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """The sizes of a decoder of the Llama family.

    Attributes:
        layers: how many.
        hidden: width of the states.
        heads: of queries.
        kv_heads: of keys and values.
        head: width of each.
        window: longest text in tokens.
        epsilon: of the norms.
        frequencies: of the rotary positions, shape (head / 2,).
        vocabulary: rows of the head.
        tied: the head is the table of the words.
        sliding: how far back is looked; 0 is everywhere.
        normed_heads: queries and keys are normed before they are turned.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head: int
    window: int
    epsilon: float
    frequencies: NDArray[np.float32]
    vocabulary: int
    tied: bool
    sliding: int
    normed_heads: bool

    @classmethod
    def read(cls, folder: Path) -> Architecture:
        """Read a model's configuration.

        Raises:
            UnknownArchitectureError: it is none that this engine knows, or has a part that it does not compute.
        """
        try:
            held = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UnknownArchitectureError(
                f"the configuration of {folder} cannot be read ({error})"
            ) from error
        kind = held.get("model_type")
        if kind not in _KINDS:
            raise UnknownArchitectureError(f"models of the kind '{kind}' are computed by transformers")
        unknown = [
            name
            for name, fits in (
                ("hidden_act", held.get("hidden_act", "silu") == "silu"),
                ("quantization_config", not held.get("quantization_config") or form_in(held) is not None),
                ("use_sliding_window", not held.get("use_sliding_window")),
            )
            if not fits
        ]
        if unknown:
            raise UnknownArchitectureError(
                f"{unknown[0]} = {held.get(unknown[0])} is computed by transformers"
            )
        heads = int(held["num_attention_heads"])
        head = int(held.get("head_dim") or held["hidden_size"] // heads)
        return cls(
            layers=int(held["num_hidden_layers"]),
            hidden=int(held["hidden_size"]),
            heads=heads,
            kv_heads=int(held.get("num_key_value_heads") or heads),
            head=head,
            window=int(held.get("max_position_embeddings") or 1 << 30),
            epsilon=float(held.get("rms_norm_eps", 1e-6)),
            frequencies=_frequencies(held, head),
            vocabulary=int(held["vocab_size"]),
            tied=bool(held.get("tie_word_embeddings")),
            sliding=int(held.get("sliding_window") or 0) if kind == "mistral" else 0,
            normed_heads=kind == "qwen3",
        )


def _frequencies(held: dict[str, Any], head: int) -> NDArray[np.float32]:
    """Return the angle by which each pair of a head's values turns from one place to the next.

    Source of the stretched kind: the Llama 3 models; low frequencies are divided, those between are blended.
    """
    rope = dict(held.get("rope_parameters") or held.get("rope_scaling") or {})
    theta = float(rope.get("rope_theta") or held.get("rope_theta") or 10_000.0)
    base: NDArray[np.float64] = 1.0 / theta ** (np.arange(0, head, 2, dtype=np.float64) / head)
    kind = str(rope.get("rope_type") or rope.get("type") or "default")
    if kind == "linear":
        base = base / float(rope["factor"])
    elif kind == "llama3":
        factor, trained = float(rope["factor"]), float(rope["original_max_position_embeddings"])
        low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
        turns = trained * base / (2 * math.pi)
        kept = np.clip((turns - low) / (high - low), 0.0, 1.0)
        base = base * kept + base / factor * (1 - kept)
    elif kind != "default":
        raise UnknownArchitectureError(f"rotary positions of the kind '{kind}' are computed by transformers")
    return base.astype(np.float32)
