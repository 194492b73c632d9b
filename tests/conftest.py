"""Fixtures that several rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import pytest

from kernel.model_store import ModelStore
from retrieval.sentence_transformer import SentenceTransformerEmbedder


@pytest.fixture(scope="session")
def model_store() -> ModelStore:
    """The models as a user has them: fetched by the first test that needs one, kept for later runs."""
    folder = os.environ.get("TEKIO_CACHE") or platformdirs.user_cache_path("tekio") / "models"
    return ModelStore(Path(folder))


@pytest.fixture(scope="session")
def embedder(model_store: ModelStore) -> SentenceTransformerEmbedder:
    """The default embedder, loaded once."""
    found = model_store.resolve("multilingual-e5-small")
    return SentenceTransformerEmbedder(
        found.folder,
        model=found.name,
        revision=found.revision,
        query_prefix="query: ",
        passage_prefix="passage: ",
    )
