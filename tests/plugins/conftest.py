"""The real embedder as a service."""

from __future__ import annotations

import pytest

from kernel.embedding_service import EmbeddingService
from retrieval.sentence_transformer import SentenceTransformerEmbedder


@pytest.fixture(scope="session")
def embedding(embedder: SentenceTransformerEmbedder) -> EmbeddingService:
    return EmbeddingService(embedder)
