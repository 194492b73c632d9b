"""The real embedder, loaded once."""

from __future__ import annotations

import pytest

from kernel.embedding_service import EmbeddingService
from kernel.model_store import ModelStore
from retrieval.sentence_transformer import SentenceTransformerEmbedder


@pytest.fixture(scope="session")
def embedder(model_store: ModelStore) -> SentenceTransformerEmbedder:
    found = model_store.resolve("multilingual-e5-small")
    return SentenceTransformerEmbedder(
        found.folder,
        model=found.name,
        revision=found.revision,
        query_prefix="query: ",
        passage_prefix="passage: ",
    )


@pytest.fixture(scope="session")
def embedding(embedder: SentenceTransformerEmbedder) -> EmbeddingService:
    return EmbeddingService(embedder)
