from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.benchmarks.rivals.catalog import Model
from evaluation.retrieval.beir import BeirDocument

_A_LEG = 100
"""Nodes that each retriever gives to the fusion; by default two."""
_CJK = "\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORDS = rf"[{_CJK}]|[^\W{_CJK}]{{2,}}"
"""The default makes one word of a Japanese sentence; this makes one of each character, as Haystack does."""


class LlamaIndex:
    """A FAISS vector store and the BM25 retriever, fused by reciprocal rank, without a language model."""

    _embedder: Any
    _retriever: Any

    def load(self, model: Model) -> str:
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding

        self._embedder = HuggingFaceEmbedding(
            model_name=model.folder,
            query_instruction=model.query_prefix,
            text_instruction=model.passage_prefix,
        )
        self._embedder.get_query_embedding("a first text")
        return (
            f"sentence-transformers, float32; FAISS flat, BM25 with stemming and a token for each Japanese character, "
            f"reciprocal rank of {_A_LEG} each"
        )

    def ingest(self, documents: Sequence[BeirDocument], folder: Path) -> None:
        import faiss
        from llama_index.core import StorageContext, VectorStoreIndex
        from llama_index.core.llms import MockLLM
        from llama_index.core.retrievers import QueryFusionRetriever
        from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
        from llama_index.core.schema import TextNode
        from llama_index.retrievers.bm25 import BM25Retriever
        from llama_index.vector_stores.faiss import FaissVectorStore

        nodes = [TextNode(text=document.whole, id_=document.id) for document in documents]
        dimension = len(self._embedder.get_query_embedding("its length"))
        store = FaissVectorStore(faiss_index=faiss.IndexFlatIP(dimension))
        index = VectorStoreIndex(
            nodes,
            storage_context=StorageContext.from_defaults(vector_store=store),
            embed_model=self._embedder,
        )
        words = BM25Retriever(nodes=nodes, similarity_top_k=_A_LEG, token_pattern=_WORDS)
        index.storage_context.persist(str(folder))
        words.persist(str(folder / "words"))
        self._retriever = QueryFusionRetriever(
            [index.as_retriever(similarity_top_k=_A_LEG), words],
            llm=MockLLM(),  # none is asked for a single query; left out, the one of a service is looked for
            mode=FUSION_MODES.RECIPROCAL_RANK,
            similarity_top_k=10,
            num_queries=1,
            use_async=False,
        )

    def search(self, query: str, top_k: int) -> list[tuple[str, float]]:
        self._retriever.similarity_top_k = top_k
        return [(found.node.node_id, float(found.score)) for found in self._retriever.retrieve(query)]


def make(name: str) -> LlamaIndex:
    """Return LlamaIndex."""
    return LlamaIndex()
