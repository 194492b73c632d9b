"""One test for each fault of Semantic Kernel's own FaissCollection, over ours."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from semantic_kernel.data.vector import VectorStoreField, vectorstoremodel
from semantic_kernel.exceptions import VectorStoreException

from retrieval.embedding import EmbedderSignature
from retrieval.errors import IndexSignatureError
from retrieval.faiss_collection import FaissCollection
from retrieval.filters import AnyOf, OneOf, Where
from retrieval.stores.opening import Place


@vectorstoremodel(collection_name="notes")
@dataclass
class Note:  # type: ignore[misc]
    id: Annotated[str, VectorStoreField("key")]
    text: Annotated[str, VectorStoreField("data", is_full_text_indexed=True)]
    language: Annotated[str, VectorStoreField("data", is_indexed=True)] = "en"
    year: Annotated[int, VectorStoreField("data", is_indexed=True)] = 2000
    vector: Annotated[list[float] | None, VectorStoreField("vector", dimensions=4)] = field(default=None)


AXES = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]


def note(number: int, **more: Any) -> Note:
    return Note(id=f"n{number}", text=f"note number {number}", vector=AXES[number % 4], **more)


def collection_in(place: Place, **more: Any) -> FaissCollection[str, Note]:
    return FaissCollection(record_type=Note, folder=place, **more)


def faiss_files(folder: Path) -> list[Path]:
    return list(folder.glob("*.faiss"))


@pytest.fixture
async def notes(place: Place) -> AsyncIterator[FaissCollection[str, Note]]:
    async with collection_in(place) as collection:
        await collection.ensure_collection_exists()
        yield collection


async def found(
    collection: FaissCollection[str, Note], vector: list[float], **more: Any
) -> list[tuple[str, float]]:
    results = await collection.search(vector=vector, **more)
    return [(item.record.id, round(item.score or 0.0, 4)) async for item in results.results]


async def test_a_deleted_record_is_not_found_and_the_others_keep_their_own_scores(
    notes: FaissCollection[str, Note],
) -> None:
    await notes.upsert([note(i) for i in range(4)])
    await notes.delete(["n0"])
    await notes.delete(["n2"])
    assert await found(notes, AXES[2], top=4) == [("n1", 0.0), ("n3", 0.0)]
    assert await found(notes, AXES[3], top=4) == [("n3", 1.0), ("n1", 0.0)]


async def test_deleting_twice_names_the_missing_key_and_harms_nothing(
    notes: FaissCollection[str, Note],
) -> None:
    await notes.upsert([note(0), note(1)])
    await notes.delete("n0")
    with pytest.raises(VectorStoreException, match="n0"):
        await notes.delete("n0")
    assert await found(notes, AXES[1], top=5) == [("n1", 1.0)]


async def test_upserting_one_key_twice_replaces_the_record_and_its_vector(
    notes: FaissCollection[str, Note],
) -> None:
    await notes.upsert(note(1))
    changed = note(1)
    changed.vector, changed.text = AXES[2], "changed"
    await notes.upsert(changed)
    assert await found(notes, AXES[2], top=5) == [("n1", 1.0)]
    record = await notes.get("n1")
    assert isinstance(record, Note)
    assert record.text == "changed"


async def test_one_batch_may_hold_a_key_twice_and_the_last_wins(notes: FaissCollection[str, Note]) -> None:
    first, second = note(1), note(1)
    second.vector = AXES[3]
    await notes.upsert([first, second])
    assert await found(notes, AXES[3], top=5) == [("n1", 1.0)]


async def test_a_filter_is_applied_before_the_search_so_that_top_k_come_back(
    notes: FaissCollection[str, Note],
) -> None:
    await notes.upsert([note(i, language="ja" if i >= 16 else "en") for i in range(20)])
    results = await found(notes, AXES[0], top=4, filter=Where("language", "==", "ja"))
    assert sorted(key for key, _ in results) == ["n16", "n17", "n18", "n19"]


async def test_a_list_of_filters_means_all_of_them(notes: FaissCollection[str, Note]) -> None:
    await notes.upsert([note(0, language="ja", year=2024), note(1, language="ja"), note(2, year=2024)])
    filters: Any = [Where("language", "==", "ja"), Where("year", ">=", 2024)]
    assert await found(notes, AXES[0], top=5, filter=filters) == [("n0", 1.0)]


async def test_a_developers_lambda_is_translated_and_code_is_refused(
    notes: FaissCollection[str, Note],
) -> None:
    await notes.upsert([note(0, language="ja"), note(1), note(2, year=1990)])
    by_lambda = await found(
        notes,
        AXES[0],
        top=5,
        filter=lambda n: n.language == "ja" or n.year < 2000,
    )
    assert sorted(key for key, _ in by_lambda) == ["n0", "n2"]
    as_data: Any = AnyOf((OneOf("language", ("ja",)), Where("year", "<", 2000)))
    assert sorted(key for key, _ in await found(notes, AXES[0], top=5, filter=as_data)) == ["n0", "n2"]
    for code in ("lambda n: __import__('os').system('true')", "n.year == 1"):
        with pytest.raises(Exception, match="filter"):
            await found(notes, AXES[0], filter=code)
    with pytest.raises(Exception, match="no field 'nothing'"):
        await found(notes, AXES[0], filter=Where("nothing", "==", 1))


async def test_skip_leaves_out_the_best_and_pages_do_not_overlap(notes: FaissCollection[str, Note]) -> None:
    await notes.upsert([note(i) for i in range(4)])
    query = [0.9, 0.5, 0.3, 0.1]
    whole = await found(notes, query, top=4)
    assert await found(notes, query, top=2, skip=0) + await found(notes, query, top=2, skip=2) == whole
    assert [key for key, _ in whole] == ["n0", "n1", "n2", "n3"]


@pytest.mark.parametrize(("top", "skip"), [(0, 0), (-1, 0), (3, -1)])
async def test_a_top_or_skip_out_of_range_raises_instead_of_dropping_the_filter(
    notes: FaissCollection[str, Note], top: int, skip: int
) -> None:
    await notes.upsert(note(0))
    with pytest.raises(Exception, match=r"top|skip|greater"):
        await found(notes, AXES[0], top=top, skip=skip, filter=Where("language", "==", "ja"))


async def test_an_empty_collection_gives_no_results_instead_of_raising(
    notes: FaissCollection[str, Note],
) -> None:
    assert await found(notes, AXES[0], top=3) == []
    results = await notes.hybrid_search("note", vector=AXES[0])
    assert [item async for item in results.results] == []


async def test_interleaved_searches_do_not_mix_their_scores(notes: FaissCollection[str, Note]) -> None:
    await notes.upsert([note(i) for i in range(4)])
    first, second = await asyncio.gather(
        notes.search(vector=AXES[0], top=2), notes.search(vector=AXES[1], top=2)
    )
    seen: list[tuple[str, str, float | None]] = []
    first_iterator, second_iterator = aiter(first.results), aiter(second.results)
    for _ in range(2):
        for name, iterator in (("first", first_iterator), ("second", second_iterator)):
            item = await anext(iterator)
            seen.append((name, item.record.id, item.score))
    assert seen == [("first", "n0", 1.0), ("second", "n1", 1.0), ("first", "n1", 0.0), ("second", "n0", 0.0)]


async def test_a_reopened_collection_holds_the_same_records(place: Place) -> None:
    async with collection_in(place) as collection:
        await collection.ensure_collection_exists()
        await collection.upsert([note(i) for i in range(4)])
        await collection.delete("n1")
    async with collection_in(place) as reopened:
        assert await reopened.collection_exists()
        assert await found(reopened, AXES[3], top=9) == [("n3", 1.0), ("n0", 0.0), ("n2", 0.0)]


async def test_the_faiss_file_may_be_lost_stale_or_broken(tmp_path: Path) -> None:
    async with collection_in(tmp_path) as collection:
        await collection.ensure_collection_exists()
        await collection.upsert([note(0), note(1)])
        collection.store.save_index()
        (stale,) = faiss_files(tmp_path)
        before = stale.read_bytes()
        await collection.delete("n0")
        await collection.upsert(note(2))
    for content in (before, before[:40], b""):
        for old in faiss_files(tmp_path):
            old.unlink()
        stale.write_bytes(content)
        async with collection_in(tmp_path) as reopened:
            assert await found(reopened, AXES[2], top=9) == [("n2", 1.0), ("n1", 0.0)]


async def test_a_collection_made_again_after_its_deletion_finds_its_own_vectors_only(place: Place) -> None:
    async with collection_in(place) as collection, collection_in(place) as reader:
        for axis in (0, 3):
            await collection.ensure_collection_exists()
            await collection.upsert(Note(id="n", text="note", vector=AXES[axis]))
            for each in (collection, reader):
                assert await found(each, AXES[axis], top=5) == [("n", 1.0)]
            await collection.ensure_collection_deleted()
            assert not await reader.collection_exists()


async def test_words_are_found_that_the_vector_does_not_know(notes: FaissCollection[str, Note]) -> None:
    await notes.upsert([note(0), Note(id="rare", text="part XR-77 torque", vector=AXES[3])])
    results = await notes.hybrid_search("XR-77", vector=AXES[1], top=2)
    assert (await anext(aiter(results.results))).record.id == "rare"


async def test_total_count_and_order_by_see_the_whole_collection(notes: FaissCollection[str, Note]) -> None:
    await notes.upsert([note(i, year=2000 + i) for i in range(4)])
    results = await notes.search(vector=AXES[0], top=1, include_total_count=True)
    assert results.total_count == 4
    records = await notes.get(order_by={"year": False}, top=2)
    assert records is not None
    assert [record.id for record in records] == ["n3", "n2"]


async def test_another_embedder_is_refused(place: Place) -> None:
    signature = EmbedderSignature("one", "1", 4, "", "", True, "torch")
    async with collection_in(place, signature=signature) as collection:
        await collection.ensure_collection_exists()
    other = EmbedderSignature("two", "1", 4, "", "", True, "torch")
    async with collection_in(place, signature=other) as collection:
        with pytest.raises(IndexSignatureError, match="'one'"):
            await collection.ensure_collection_exists()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["put", "delete"]), st.integers(0, 5), st.integers(0, 3)), max_size=20
    )
)
def test_after_any_changes_the_vectors_are_those_of_the_live_records(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    async def run() -> None:
        async with collection_in(tmp_path_factory.mktemp("notes")) as collection:
            await collection.ensure_collection_exists()
            live: dict[str, int] = {}
            for action, number, axis in steps:
                key = f"n{number}"
                if action == "put":
                    await collection.upsert(Note(id=key, text=key, vector=AXES[axis]))
                    live[key] = axis
                elif key in live:
                    await collection.delete(key)
                    del live[key]
                if number % 2:
                    await found(collection, AXES[0])  # a search between changes brings the index up to date
            for axis in range(4):
                hits = {key for key, score in await found(collection, AXES[axis], top=10) if score == 1.0}
                assert hits == {key for key, held in live.items() if held == axis}

    asyncio.run(run())
