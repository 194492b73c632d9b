"""Models of the Hugging Face Hub: from its client's cache first, then fetched with the client itself."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kernel.model_packages.manifest import has_model, has_weights
from retrieval.errors import TekioError, UsageError

REACH_SECONDS = 6.0
"""How long the Hub may take to say that it has a model; its client alone would try for 24 s."""

_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.txt",
    "vocab.json",
    "sentencepiece.bpe.model",
    "spiece.model",
)
# Other engines' copies of the same weights, which would multiply what is fetched.
_IGNORED = ["*.onnx", "onnx/*", "openvino/*", "*.h5", "*.msgpack", "*.ot", "*.tflite", "coreml/*", "*.gguf"]
_Value = TypeVar("_Value")


def is_hub_name(name: str) -> bool:
    """Say whether a name is one of the Hub's: owner/model."""
    return _NAME.fullmatch(name) is not None


def cached_snapshot(name: str) -> Path | None:
    """Return the folder of a model in the client's cache, or None when it is not there or incomplete.

    The cache is read without the client, which takes long to import. Its layout is `models--owner--name` with
    the commit in `refs/main` and the files in `snapshots/<commit>`.
    """
    home = _cache_root() / f"models--{name.replace('/', '--')}"
    try:
        commit = (home / "refs" / "main").read_text("utf-8").strip()
        folder = home / "snapshots" / commit
        complete = has_model(folder) and has_weights(folder)
    except OSError:
        return None
    return folder if complete and any((folder / tokenizer).is_file() for tokenizer in _TOKENIZERS) else None


def fetch_snapshot(name: str) -> Path:
    """Fetch a model into the client's cache and return its folder.

    Raises:
        UsageError: the Hub has no such model, or does not show it without a login.
        TekioError: the Hub cannot be reached, or the transfer broke.
    """
    import huggingface_hub
    from huggingface_hub import errors

    client = huggingface_hub.HfApi()
    try:
        _within(REACH_SECONDS, lambda: client.model_info(name, timeout=REACH_SECONDS))
        folder = Path(huggingface_hub.snapshot_download(name, ignore_patterns=_IGNORED))
    except errors.GatedRepoError as error:
        raise UsageError(
            f"'{name}' is shown after a login only; run `hf auth login` and try again"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise UsageError(
            f"the model hub has no model '{name}', or not without a login (`hf auth login`)"
        ) from error
    except Exception as error:  # the client raises its transport's own kinds, and OSError, and ValueError
        raise TekioError(
            f"'{name}' could not be fetched from the model hub: no network? ({type(error).__name__}); "
            "fetch it where there is a network and copy the folder here, then name that folder, "
            "or use a model that `tekio models` lists"
        ) from error
    if not (has_model(folder) and has_weights(folder)):
        raise UsageError(f"'{name}' holds no model that transformers reads (no config.json with weights)")
    return folder


def _within(seconds: float, call: Callable[[], _Value]) -> _Value:
    """Return what the call returns; a name server that hangs is beyond the client's own limit."""
    done: list[_Value] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            done.append(call())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True, name="hub-reachability")
    thread.start()
    thread.join(seconds + 1)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError
    return done[0]


def _cache_root() -> Path:
    """Return the cache folder as the client finds it."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if value := os.environ.get(variable):
            return Path(value).expanduser()
    if value := os.environ.get("HF_HOME"):
        return Path(value).expanduser() / "hub"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "huggingface" / "hub"
