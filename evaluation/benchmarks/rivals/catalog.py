"""Which systems are compared, and what each must be able to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from evaluation.retrieval.beir import BeirDocument
from retrieval.errors import UsageError

OWN = "tekio"
_SYSTEMS = "evaluation.benchmarks.rivals.systems"


@dataclass(frozen=True, slots=True)
class Model:
    """The folder of the embedder, as sentence-transformers reads it, and what stands before texts."""

    folder: str
    query_prefix: str
    passage_prefix: str


class System(Protocol):
    """A way to search a set, made as a user of it would make it."""

    def load(self, model: Model) -> str:
        """Load the embedder, so that no later call does; return how the system is set."""

    def ingest(self, documents: Sequence[BeirDocument], folder: Path) -> None:
        """Make the documents searchable, and write the index under an empty folder where the system can."""

    def search(self, query: str, top_k: int) -> list[tuple[str, float]]:
        """Return the best documents with their scores, best first."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A system by name. `languages` are those of the sets it is for, empty for all."""

    name: str
    module: str
    needs: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    uses_model: bool = True

    def missing(self) -> list[str]:
        """Return the modules that are not installed."""
        return [name for name in self.needs if not _is_installed(name)]

    def make(self) -> System:
        """Return the system; imports its packages."""
        system: System = import_module(f"{_SYSTEMS}.{self.module}").make(self.name)
        return system


_BY_WORDS = ("rank_bm25",)
KINDS = {
    kind.name: kind
    for kind in (
        Kind(OWN, "own"),
        Kind("txtai", "by_txtai", ("txtai",)),
        Kind(
            "llama-index",
            "by_llama_index",
            (
                "llama_index.core",
                "llama_index.embeddings.huggingface",
                "llama_index.retrievers.bm25",
                "llama_index.vector_stores.faiss",
            ),
        ),
        Kind(
            "haystack",
            "by_haystack",
            ("haystack", "haystack_integrations.components.embedders.sentence_transformers"),
        ),
        Kind("dense", "dense", ("faiss", "sentence_transformers")),
        Kind("rank-bm25", "by_rank_bm25", _BY_WORDS, uses_model=False),
        Kind("rank-bm25-sudachi", "by_rank_bm25", _BY_WORDS, ("ja",), uses_model=False),
    )
}


def find_kinds(names: Sequence[str]) -> list[Kind]:
    """Return the systems of these names.

    Raises:
        UsageError: there is none of a name.
    """
    if unknown := [name for name in names if name not in KINDS]:
        raise UsageError(f"there is no system '{unknown[0]}'; there are {', '.join(KINDS)}")
    return [KINDS[name] for name in dict.fromkeys(names)]


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it
        return False
