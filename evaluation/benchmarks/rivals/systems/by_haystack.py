from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.benchmarks.rivals.catalog import Model
from evaluation.retrieval.beir import BeirDocument

_A_LEG = 100
"""Documents that each retriever gives to the fusion; by default ten."""


class Haystack:
    """The hybrid pipeline of its guides: BM25 and embeddings in memory, joined by reciprocal rank."""

    _documents: Any
    _pipeline: Any
    _store: Any

    def load(self, model: Model) -> str:
        from haystack import Pipeline
        from haystack.components.joiners import DocumentJoiner
        from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
        from haystack.document_stores.in_memory import InMemoryDocumentStore
        from haystack_integrations.components.embedders.sentence_transformers import (
            SentenceTransformersDocumentEmbedder,
            SentenceTransformersTextEmbedder,
        )

        self._store = InMemoryDocumentStore(embedding_similarity_function="cosine")
        self._documents = SentenceTransformersDocumentEmbedder(
            model=model.folder, prefix=model.passage_prefix, local_files_only=True, progress_bar=False
        )
        self._documents.warm_up()
        pipeline = Pipeline()
        pipeline.add_component(
            "embedder",
            SentenceTransformersTextEmbedder(
                model=model.folder, prefix=model.query_prefix, local_files_only=True, progress_bar=False
            ),
        )
        pipeline.add_component("meaning", InMemoryEmbeddingRetriever(self._store, top_k=_A_LEG))
        pipeline.add_component("words", InMemoryBM25Retriever(self._store, top_k=_A_LEG))
        pipeline.add_component("joiner", DocumentJoiner(join_mode="reciprocal_rank_fusion"))
        pipeline.connect("embedder.embedding", "meaning.query_embedding")
        pipeline.connect("meaning", "joiner")
        pipeline.connect("words", "joiner")
        pipeline.warm_up()
        self._pipeline = pipeline
        return (
            f"sentence-transformers, float32; exact vectors in memory, BM25L with a token for each Japanese character, "
            f"reciprocal rank of {_A_LEG} each"
        )

    def ingest(self, documents: Sequence[BeirDocument], folder: Path) -> None:
        from haystack import Document

        texts = [Document(id=document.id, content=document.whole) for document in documents]
        self._store.write_documents(self._documents.run(texts)["documents"])
        self._store.save_to_disk(str(folder / "store.json"))

    def search(self, query: str, top_k: int) -> list[tuple[str, float]]:
        found = self._pipeline.run(
            {"embedder": {"text": query}, "words": {"query": query}, "joiner": {"top_k": top_k}}
        )
        return [(document.id, float(document.score)) for document in found["joiner"]["documents"]]


def make(name: str) -> Haystack:
    """Return Haystack."""
    return Haystack()
