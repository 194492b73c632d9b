"""The embedder as a Semantic Kernel service."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from semantic_kernel.connectors.ai.embedding_generator_base import EmbeddingGeneratorBase

from retrieval.embedding import Embedder

SERVICE_ID = "embedder"


class EmbeddingService(EmbeddingGeneratorBase):
    """Embeds in a thread. A collection asks for raw embeddings of what it stores, and for plain ones of what
    it searches for: so passages and questions each get their prefix."""

    embedder: Annotated[Any, Field(exclude=True)]

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(service_id=SERVICE_ID, ai_model_id=embedder.signature.model, embedder=embedder)

    async def generate_embeddings(
        self, texts: list[str], settings: Any = None, **kwargs: Any
    ) -> NDArray[np.float32]:
        """Embed texts that are searched for, shape (len(texts), dimension)."""
        vectors: NDArray[np.float32] = await asyncio.to_thread(self.embedder.embed_queries, texts)
        return vectors

    async def generate_raw_embeddings(
        self, texts: list[str], settings: Any = None, **kwargs: Any
    ) -> NDArray[np.float32]:
        """Embed texts that are searched in, shape (len(texts), dimension)."""
        vectors: NDArray[np.float32] = await asyncio.to_thread(self.embedder.embed_passages, texts)
        return vectors
