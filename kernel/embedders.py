"""The embedder that the settings name: found, not loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.model_store import ModelStore
from kernel.settings import Settings

if TYPE_CHECKING:
    from retrieval.sentence_transformer import SentenceTransformerEmbedder

_PREFIXES = {"e5": ("query: ", "passage: ")}


def find_embedder(settings: Settings, models: ModelStore) -> SentenceTransformerEmbedder:
    """Return the embedder of the settings, fetching its model if it is not there."""
    from retrieval.sentence_transformer import SentenceTransformerEmbedder

    model = models.resolve(settings.embedder)
    query, passage = next((pair for part, pair in _PREFIXES.items() if part in model.name.lower()), ("", ""))
    return SentenceTransformerEmbedder(
        model.folder,
        model=model.name,
        revision=model.revision,
        query_prefix=query,
        passage_prefix=passage,
    )


def embedder_at_node(settings: Settings) -> SentenceTransformerEmbedder:
    """Return the embedder at a node of a cluster, with the node's own model cache."""
    return find_embedder(settings, ModelStore(settings.cache, offline=settings.offline))
