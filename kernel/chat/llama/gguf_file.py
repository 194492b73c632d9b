"""A GGUF file is looked at before a server is given it: what is in it, and whether it is whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.errors import UsageError

_MAGIC = b"GGUF"


@dataclass(frozen=True, slots=True)
class GgufFile:
    """What a GGUF file says of itself.

    Attributes:
        architecture: such as `llama`.
        kind: `model` or `adapter`.
        window: tokens that a model was made for; 0 where it does not say.
    """

    architecture: str
    kind: str
    window: int


def read_gguf(path: Path) -> GgufFile:
    """Read what a file holds. Takes seconds for a large vocabulary.

    Raises:
        UsageError: there is no such file, it is no GGUF, or it is cut short.
    """
    try:
        with path.open("rb") as file:
            begins = file.read(len(_MAGIC))
    except OSError as error:
        raise UsageError(f"the GGUF file {path} cannot be read: {error.strerror or error}") from error
    if begins != _MAGIC:
        raise UsageError(f"{path} is no GGUF file")
    import gguf

    try:
        # It maps every tensor, so a file that ends before its last one does is found out.
        fields = gguf.GGUFReader(path).fields
        architecture = str(_value(fields, "general.architecture"))
        kind = str(_value(fields, "general.type", "model"))
        return GgufFile(architecture, kind, int(_value(fields, f"{architecture}.context_length", 0)))
    except (ValueError, IndexError, KeyError, OverflowError, OSError, TypeError) as error:
        raise UsageError(
            f"the GGUF file {path} is damaged or cut short ({path.stat().st_size:,} bytes): fetch or copy it again"
        ) from error


def _value(fields: Any, name: str, usual: Any = None) -> Any:
    if name not in fields:
        if usual is None:
            raise KeyError(name)
        return usual
    return fields[name].contents()


def check_model(path: Path, window: int) -> GgufFile:
    """Check a model's file before it is served.

    Args:
        path: the file.
        window: tokens that a prompt and its answer may have.

    Raises:
        UsageError: it cannot be served so.
    """
    found = read_gguf(path)
    if found.kind != "model":
        raise UsageError(
            f"{path} is no model but an {found.kind}: give it as `adapter`, and its model as `model`"
        )
    if 0 < found.window < window:
        raise UsageError(
            f"{path} was made for {found.window:,} tokens: set `window` to that, not to {window:,}"
        )
    return found


def check_lora(path: Path, model: Path, architecture: str) -> None:
    """Check an adapter's file before it is served with a model.

    Raises:
        UsageError: it is whole no adapter, or was made for another architecture.
    """
    found = read_gguf(path)
    if found.kind != "adapter":
        raise UsageError(f"{path} is no adapter: `tekio models export NAME --format gguf` writes one")
    if found.architecture != architecture:
        raise UsageError(f"the adapter {path} is for {found.architecture}, and {model} is of {architecture}")
