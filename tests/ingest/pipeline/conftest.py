"""A real index and the real embedder, which is watched for what it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.blocks import ReadOptions
from ingest.pipeline import Plan, ingest_paths
from ingest.pool import Limits
from ingest.prepare import Preparation
from ingest.report import IngestReport
from ingest.strategies import Chunking
from retrieval.database import Database
from retrieval.embedding import EmbedderSignature
from retrieval.passages import PassageIndex
from retrieval.sentence_transformer import SentenceTransformerEmbedder
from retrieval.token_counter import TokenCounter


class WatchedEmbedder:
    """The real embedder, and a list of the texts that it embedded."""

    def __init__(self, real: SentenceTransformerEmbedder) -> None:
        self.real = real
        self.embedded: list[str] = []
        self.before: Callable[[Sequence[str]], None] = lambda texts: None

    @property
    def signature(self) -> EmbedderSignature:
        return self.real.signature

    @property
    def max_tokens(self) -> int:
        return self.real.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.real.count_tokens(texts)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.before(texts)
        self.embedded += texts
        return self.real.embed_passages(texts)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.real.embed_queries(texts)


@pytest.fixture
def embedder(embedder: SentenceTransformerEmbedder) -> WatchedEmbedder:
    return WatchedEmbedder(embedder)


@pytest.fixture
def real_embedder(embedder: WatchedEmbedder) -> SentenceTransformerEmbedder:
    return embedder.real


@pytest.fixture
def index(tmp_path: Path, embedder: WatchedEmbedder) -> Iterator[PassageIndex]:
    opened = PassageIndex(tmp_path / "index", embedder.signature, create=True)
    yield opened
    opened.close()


@pytest.fixture
def make_plan(real_embedder: SentenceTransformerEmbedder) -> Callable[..., Plan]:
    def make(
        *,
        options: ReadOptions | None = None,
        chunking: Chunking | None = None,
        count_tokens: Any = None,
        limits: Limits | None = None,
        largest_file: int = 2**28,
        longest_text: int = 10**7,
        **more: Any,
    ) -> Plan:
        preparation = Preparation(
            count_tokens or TokenCounter(real_embedder.folder / "tokenizer.json"),
            chunking or Chunking(max_tokens=100),
            options or ReadOptions(),
            largest_file,
            longest_text,
        )
        return Plan(preparation, limits or Limits(), **more)

    return make


@pytest.fixture
def run(
    index: PassageIndex, embedder: WatchedEmbedder, make_plan: Callable[..., Plan]
) -> Callable[..., IngestReport]:
    def ingest(*paths: Path, on_progress: Any = None, **more: Any) -> IngestReport:
        with index.writing():
            return ingest_paths(
                paths, store=index, embedder=embedder, plan=make_plan(**more), on_progress=on_progress
            )

    return ingest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    (root / "sub").mkdir(parents=True)
    (root / "a.md").write_text("# Title A\n\nText of a.\n", encoding="utf-8")
    (root / "sub" / "b.txt").write_bytes("薬の保管について。\n\n鍵を掛けること。\n".encode("cp932"))
    return root


@pytest.fixture
def texts(index: PassageIndex) -> Callable[[], dict[str, str]]:
    """Return a function: the text of each document of the index by its name."""

    def read() -> dict[str, str]:
        assert isinstance(index.database, Database)
        rows = index.database.connection.execute("SELECT name, text FROM documents")
        return {str(name): str(text) for name, text in rows}

    return read


def outcomes(report: IngestReport) -> dict[str, str]:
    return {Path(file.path).name: str(file.outcome) for file in report.files}
