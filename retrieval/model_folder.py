"""What the folder of an embedding model says of itself, read without loading the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import TekioError

_DEFAULT_MAX_TOKENS = 512


def vector_length(folder: Path) -> int:
    """Return the length of a vector: what the last dense layer gives, or else the encoder's hidden size.

    Raises:
        TekioError: the folder has no readable config.json, or it says no hidden size.
    """
    widths = [_read(path).get("out_features") for path in sorted(folder.glob("*_Dense/config.json"))]
    width = (widths or [_read(folder / "config.json").get("hidden_size")])[-1]
    if not isinstance(width, int):
        raise TekioError(f"{folder / 'config.json'} does not say the hidden size; is it an embedding model?")
    return width


def max_tokens(folder: Path) -> int:
    """Return the longest input in tokens, special tokens included: the smallest limit that is stated.

    Raises:
        TekioError: the folder has no readable config.json.
    """
    limits = [
        _read(folder / "config.json").get("max_position_embeddings"),
        _read(folder / "sentence_bert_config.json", optional=True).get("max_seq_length"),
        _read(folder / "tokenizer_config.json", optional=True).get("model_max_length"),
    ]
    # Where nothing is known, transformers writes a huge number.
    known = [limit for limit in limits if isinstance(limit, int) and 0 < limit < 1 << 20]
    return min(known, default=_DEFAULT_MAX_TOKENS)


def pooling(folder: Path) -> str | None:
    """Return how a text's vector is made of its tokens' ("mean" or "cls"), or None for any other way.

    None stands also for folders with layers beside the encoder, its pooling, a linear layer and a normalisation.
    """
    modules = _read_list(folder / "modules.json")
    kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules]
    if kinds[:2] != ["Transformer", "Pooling"]:
        return None
    rest = kinds[3:] if kinds[2:3] == ["Dense"] and _linear_layer(folder, modules) else kinds[2:]
    if rest not in ([], ["Normalize"]):
        return None
    config = _read(folder / str(modules[1].get("path", "")) / "config.json")
    stated = config.get("pooling_mode")
    named = {
        "mean": "mean",
        "cls": "cls",
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_cls_token": "cls",
    }
    ways = (
        [stated]
        if stated
        else [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
    )
    if len(ways) != 1 or not isinstance(ways[0], str) or config.get("include_prompt", True) is not True:
        return None
    return named.get(ways[0])


def projection(folder: Path) -> NDArray[np.float32] | None:
    """Return the linear layer over the pooled vector, shape (dimension, hidden); None where there is none.

    Raises:
        TekioError: it cannot be read.
    """
    file = _linear_layer(folder, _read_list(folder / "modules.json"))
    if file is None:
        return None
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return np.ascontiguousarray(load_file(file)["linear.weight"], np.float32)
    except (SafetensorError, OSError, KeyError) as error:
        raise TekioError(
            f"{file} cannot be read: {error}; copy the embedder whole, or train it again"
        ) from error


def _linear_layer(folder: Path, modules: list[dict[str, Any]]) -> Path | None:
    """Return the weights of a dense layer that does nothing but multiply; None for no such layer."""
    if len(modules) < 3 or not str(modules[2].get("type", "")).endswith(".Dense"):
        return None
    layer = folder / str(modules[2].get("path", ""))
    config = _read(layer / "config.json", optional=True)
    plain = config.get("bias") is False and str(config.get("activation_function", "")).endswith(".Identity")
    file = layer / "model.safetensors"
    return file if plain and file.is_file() else None


def prompts(folder: Path) -> tuple[str, str] | None:
    """Return what the folder says is put before a query and before a passage; None where it says nothing.

    sentence-transformers writes the names `query` and `document`, E5 says `passage`.
    """
    stated = _read(folder / "config_sentence_transformers.json", optional=True).get("prompts")
    if not isinstance(stated, dict):
        return None
    query = stated.get("query") or ""
    passage = stated.get("passage") or stated.get("document") or ""
    return (str(query), str(passage)) if query or passage else None


def pad_id(folder: Path) -> int:
    """Return the id of the token that fills up a batch; it is masked, so that any will do where none is stated."""
    stated = _read(folder / "config.json").get("pad_token_id")
    return stated if isinstance(stated, int) and stated >= 0 else 0


def _read_list(path: Path) -> list[dict[str, Any]]:
    try:
        modules = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return []
    return [module for module in modules if isinstance(module, dict)] if isinstance(modules, list) else []


def _read(path: Path, *, optional: bool = False) -> dict[str, Any]:
    if optional and not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TekioError(f"{path} cannot be read: {error}; name the folder of an embedding model") from error
    if not isinstance(config, dict):
        raise TekioError(f"{path} is not the configuration of a model")
    return config
