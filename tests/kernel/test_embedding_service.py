"""Questions and stored texts each get their own prefix, whatever Semantic Kernel asks for."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from semantic_kernel import Kernel
from semantic_kernel.data.vector import VectorStoreField, vectorstoremodel

from kernel.embedding_service import SERVICE_ID, EmbeddingService
from retrieval.faiss_collection import FaissCollection
from retrieval.sentence_transformer import SentenceTransformerEmbedder

TEXTS = ["ポンプは500時間ごとに点検する。", "The archive is open from 9:00 to 16:30.", ""]


@pytest.fixture(scope="module")
def service(embedder: SentenceTransformerEmbedder) -> EmbeddingService:
    return EmbeddingService(embedder)


async def test_texts_that_are_searched_for_get_the_query_prefix(
    service: EmbeddingService, embedder: SentenceTransformerEmbedder
) -> None:
    vectors = await service.generate_embeddings(TEXTS)
    np.testing.assert_allclose(vectors, embedder.embed_queries(TEXTS), atol=1e-6)
    assert np.abs(vectors - embedder.embed_passages(TEXTS)).max() > 0.01


async def test_texts_that_are_stored_get_the_passage_prefix(
    service: EmbeddingService, embedder: SentenceTransformerEmbedder
) -> None:
    vectors = await service.generate_raw_embeddings(TEXTS)
    np.testing.assert_allclose(vectors, embedder.embed_passages(TEXTS), atol=1e-6)
    assert np.abs(vectors - embedder.embed_queries(TEXTS)).max() > 0.01


async def test_vectors_are_one_row_a_text_and_of_length_one(service: EmbeddingService) -> None:
    vectors = await service.generate_embeddings(TEXTS)
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert (await service.generate_raw_embeddings([])).shape == (0, 384)


def test_the_kernel_finds_the_service_by_its_name(service: EmbeddingService) -> None:
    kernel = Kernel(services=[service])
    assert kernel.services[SERVICE_ID] is service
    assert service.ai_model_id == "multilingual-e5-small"


async def test_the_event_loop_goes_on_while_texts_are_embedded(service: EmbeddingService) -> None:
    await service.generate_embeddings(["warm"])
    gaps: list[float] = []

    async def heartbeat() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            gaps.append(time.perf_counter() - before)

    beating = asyncio.create_task(heartbeat())
    started = time.perf_counter()
    await service.generate_raw_embeddings(["A long text about pumps and belts. " * 30] * 6)
    worked = time.perf_counter() - started
    beating.cancel()
    assert max(gaps) < worked / 2


@vectorstoremodel
@dataclass
class Note:
    id: Annotated[str, VectorStoreField("key")]
    text: Annotated[str, VectorStoreField("data", is_full_text_indexed=True)]
    vector: Annotated[list[float] | str | None, VectorStoreField("vector", dimensions=384)] = field(
        default=None
    )


@pytest.fixture
async def notes(tmp_path: Path, service: EmbeddingService) -> AsyncIterator[FaissCollection[str, Any]]:
    collection: FaissCollection[str, Any] = FaissCollection(  # type: ignore[call-arg]
        record_type=Note, collection_name="notes", folder=tmp_path, embedding_generator=service
    )
    async with collection:
        await collection.ensure_collection_exists()
        yield collection


async def test_a_collection_stores_with_the_one_prefix_and_searches_with_the_other(
    notes: FaissCollection[str, Any], embedder: SentenceTransformerEmbedder
) -> None:
    text = TEXTS[0]
    await notes.upsert(Note(id="a", text=text, vector=text))
    held: Any = await notes.get("a", include_vectors=True)
    np.testing.assert_allclose(held.vector, embedder.embed_passages([text])[0], atol=1e-5)
    results = await notes.search(text, top=1)
    (found,) = [item async for item in results.results]
    cosine = float(embedder.embed_queries([text])[0] @ embedder.embed_passages([text])[0])
    assert found.score == pytest.approx(cosine, abs=1e-4)
