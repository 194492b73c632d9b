"""What the folder of an embedding model says of itself, read without loading the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
