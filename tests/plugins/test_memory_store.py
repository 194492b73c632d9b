"""Memories over the real store and embedder: whose they are, how they are found, how they last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kernel.embedding_service import EmbeddingService
from plugins.memory.opening import COLLECTION
from plugins.memory.records import LAYOUT, MACHINE, MAX_TEXT, Cited, owner_of
from plugins.memory.scoring import FLOOR, SAME, relative, score
from plugins.memory.store import MemoryStore
from plugins.memory_plugin import memory_record_type
from retrieval.access import Caller, caller
from retrieval.errors import IndexDamagedError, TekioError, UsageError
from retrieval.faiss_collection import FaissCollection
from retrieval.sentence_transformer import SentenceTransformerEmbedder
from retrieval.stores.interface import Row
from retrieval.stores.opening import Place, open_database

AKI, BEN = "user:aki", "user:ben"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ENGLISH = "I prefer answers in two short sentences."
JAPANESE = "私の担当は第二工場のポンプの保守です。"
OTHER = "The meeting about the budget is on Friday."


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, embedder: SentenceTransformerEmbedder, clock: Clock) -> Iterator[MemoryStore]:
    made = MemoryStore(tmp_path / "memory", lambda: embedder, now=clock)
    yield made
    made.close()


def texts(store: MemoryStore, owner: str, query: str, top: int = 50) -> list[str]:
    return [item.memory.text for item in store.recall(owner, query, top=top)]


def test_reading_makes_no_memory(store: MemoryStore, tmp_path: Path) -> None:
    assert store.listed(MACHINE) == []
    assert store.recall(MACHINE, "anything") == []
    assert store.purge(MACHINE) == 0
    with pytest.raises(UsageError, match="no memory"):
        store.get(MACHINE, "x")
    assert not (tmp_path / "memory").exists()


def test_what_was_said_is_recalled_by_its_meaning_in_both_languages(store: MemoryStore) -> None:
    for text in (ENGLISH, JAPANESE, OTHER):
        store.add(AKI, text)
    for query, best in (
        ("How long should a reply be?", ENGLISH),
        ("担当している設備は何ですか。", JAPANESE),
        ("When do we talk about money?", OTHER),
        ("Which machines does the user maintain?", JAPANESE),
    ):
        found = store.recall(AKI, query, floor=0.0)
        assert found[0].memory.text == best
        assert 0 < found[0].similarity <= 1


def test_what_is_about_something_else_is_not_recalled_however_new_it_is(store: MemoryStore) -> None:
    store.add(AKI, OTHER)
    for query in ("How often is the filter of the pump cleaned?", "硬さ試験の保持時間は何秒ですか。"):
        assert store.recall(AKI, query) == []


def test_the_same_thing_said_again_is_one_memory(store: MemoryStore, clock: Clock) -> None:
    first = store.add(AKI, ENGLISH)
    clock.now += timedelta(days=3)
    again = store.add(AKI, f"  {ENGLISH}\n", expires="2026-12-31")
    assert (again.id, again.created) == (first.id, first.created)
    assert [item.expires[:10] for item in store.listed(AKI)] == ["2026-12-31"]


def test_an_answer_that_is_given_anew_is_not_confirmed_by_what_was_said_of_the_old_one(
    store: MemoryStore,
) -> None:
    store.add(AKI, "How long?", kind="answer", answer="Two days.", confirm=True)
    assert store.add(AKI, "How long?", kind="answer", answer="Two days.", confirm=True).confirmed == 2
    changed = store.add(AKI, "How long?", kind="answer", answer="Three days.")
    assert (changed.confirmed, changed.confirmed_at) == (0, "")
    assert len(store.listed(AKI)) == 1


# -- whose it is --------------------------------------------------------------------------------------------


OTHERS = (
    BEN,
    MACHINE,
    "",
    "user:Aki",
    "user:aki ",
    "user:aki%",
    "user:*",
    "aki",
    "' OR 1=1 --",
    "user:aki\x00",
)


def test_nobody_reaches_what_is_anothers(store: MemoryStore) -> None:
    secret = store.add(AKI, "The code of my safe is 4711.", conversation="")
    kept = store.add(AKI, "The code of the shed is 0815.", conversation="private")
    for other in OTHERS:
        assert store.listed(other) == store.listed(other, conversation="private") == []
        assert (
            store.recall(other, "The code of my safe is 4711.", top=50, conversation="private", floor=-1)
            == []
        )
        for memory in (secret, kept):
            for call in (
                lambda memory=memory, other=other: store.get(other, memory.id),
                lambda memory=memory, other=other: store.edit(other, memory.id, text="mine now"),
                lambda memory=memory, other=other: store.confirm(other, memory.id),
                lambda memory=memory, other=other: store.delete(other, [memory.id]),
            ):
                with pytest.raises(UsageError, match="no memory"):
                    call()
        assert store.forget(other) == store.forget(other, conversation="private") == store.purge(other) == 0
    assert {item.text for item in store.listed(AKI)} == {secret.text, kept.text}


def test_what_two_users_say_alike_is_two_memories(store: MemoryStore) -> None:
    mine, other = store.add(AKI, ENGLISH), store.add(BEN, ENGLISH)
    assert mine.id != other.id
    store.edit(BEN, other.id, text="I prefer long answers.")
    store.delete(BEN, [other.id])
    assert [item.text for item in store.listed(AKI)] == [ENGLISH]
    assert store.listed(BEN) == []


def test_who_is_unknown_remembers_nothing(store: MemoryStore) -> None:
    assert owner_of(Caller()) == ""
    with pytest.raises(UsageError, match="must be named"):
        store.add(owner_of(Caller()), ENGLISH)


def test_no_users_name_is_that_of_who_owns_the_machine() -> None:
    names = [MACHINE, "default", f"user:{MACHINE}", ":", "*"]
    assert owner_of(None) == MACHINE
    assert MACHINE not in {owner_of(caller(name)) for name in names}
    assert len({owner_of(caller(name)) for name in names}) == len(names)


def test_what_is_kept_for_a_conversation_is_recalled_there_alone(store: MemoryStore) -> None:
    store.add(AKI, "The pump P-7 is out of order.", conversation="plant")
    query = "Is the pump P-7 working?"
    assert len(store.recall(AKI, query, conversation="plant")) == 1
    assert store.recall(AKI, query) == store.recall(AKI, query, conversation="office") == []
    assert len(store.listed(AKI, conversation="plant")) == len(store.listed(AKI)) == 1


# -- the order ----------------------------------------------------------------------------------------------


def test_of_memories_about_the_same_the_newer_and_the_confirmed_come_first(
    store: MemoryStore, clock: Clock
) -> None:
    old = store.add(AKI, "The pump P-7 is in hall 1.")
    clock.now += timedelta(days=400)
    new = store.add(AKI, "The pump P-7 is in hall 2.")
    query = "In which hall is the pump P-7?"
    assert [item.memory.id for item in store.recall(AKI, query)] == [new.id, old.id]
    for _ in range(3):
        store.confirm(AKI, old.id)
    assert store.recall(AKI, query)[0].memory.id == old.id


def test_the_score_follows_its_formula() -> None:
    fresh = score(0.5, "2026-03-01T12:00:00+00:00", 0, NOW)
    assert fresh == pytest.approx((0.5 + 0.15) / 1.3)
    assert score(0.5, "2025-12-01T12:00:00+00:00", 1, NOW) == pytest.approx(
        (0.5 + 0.15 * 0.5 ** (90 / 90) + 0.15 * 0.5) / 1.3
    )
    assert score(1.0, "2026-03-01T12:00:00+00:00", 10**9, NOW) <= 1.0
    assert relative(0.8, 0.8) == relative(0.1, 0.8) == 0.0
    assert relative(1.0, 0.8) == 1.0
    assert 0 < FLOOR < SAME < 1


# -- time ---------------------------------------------------------------------------------------------------


def test_what_is_over_is_neither_listed_nor_recalled_and_goes(store: MemoryStore, clock: Clock) -> None:
    memory = store.add(AKI, OTHER, expires="2026-03-06")
    clock.now = datetime(2026, 3, 6, 23, 0, tzinfo=UTC)
    assert texts(store, AKI, "When is the meeting about the budget?") == [OTHER]
    clock.now = datetime(2026, 3, 7, 0, 0, tzinfo=UTC)
    assert texts(store, AKI, "When is the meeting about the budget?") == []
    assert store.listed(AKI) == []
    with pytest.raises(UsageError):
        store.get(AKI, memory.id)
    assert store.purge(BEN) == 0
    assert store.purge(AKI) == 1


@pytest.mark.parametrize("expires", ["tomorrow", "2026-02-30", "2025-01-01", "2026-03-01T11:59:59Z"])
def test_an_end_that_is_no_date_or_is_over_is_refused(store: MemoryStore, expires: str) -> None:
    with pytest.raises(UsageError):
        store.add(AKI, OTHER, expires=expires)
    assert store.listed(AKI) == []


def test_another_text_is_found_by_its_own_meaning_and_is_not_confirmed(store: MemoryStore) -> None:
    memory = store.add(
        AKI, "How often?", kind="answer", answer="Daily.", confirm=True, cited=[Cited("a.md", "1")]
    )
    edited = store.edit(AKI, memory.id, text="How often is the pump cleaned?", answer="Weekly.")
    assert (edited.id, edited.confirmed, edited.cited) == (memory.id, 0, ())
    assert texts(store, AKI, "How often do we clean the pump?") == ["How often is the pump cleaned?"]
    later = store.edit(AKI, memory.id, expires="2027-01-01")
    assert later.answer == "Weekly."
    with pytest.raises(UsageError, match="a fact has no answer"):
        store.edit(AKI, store.add(AKI, ENGLISH).id, answer="x")


def test_what_was_edited_keeps_its_id_and_is_not_lost_when_its_old_text_is_said_again(
    place: Place, embedder: SentenceTransformerEmbedder
) -> None:
    with closing(MemoryStore(place, lambda: embedder)) as store:
        first = store.add(AKI, ENGLISH)
        assert store.edit(AKI, first.id, text=OTHER).id == first.id
        second = store.add(AKI, ENGLISH)
        assert store.add(AKI, ENGLISH).id == second.id != first.id
        assert texts(store, AKI, OTHER)[0] == OTHER
    with closing(MemoryStore(place, lambda: embedder)) as store:
        assert {held.id: held.text for held in store.listed(AKI)} == {first.id: OTHER, second.id: ENGLISH}


def test_one_wrong_id_deletes_nothing(store: MemoryStore) -> None:
    memory = store.add(AKI, ENGLISH)
    with pytest.raises(UsageError):
        store.delete(AKI, [memory.id, "nonesuch"])
    assert len(store.listed(AKI)) == 1


# -- input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a\ud800b", "nul\0byte", "<|im_start|>system", "x" * MAX_TEXT, "𠮷🎌"])
def test_odd_characters_are_kept_or_replaced_and_never_fail(store: MemoryStore, text: str) -> None:
    store.add(AKI, text)
    assert texts(store, AKI, text) == [text.replace("\ud800", "\ufffd")]


@pytest.mark.parametrize("text", ["", " \n\t", "x" * (MAX_TEXT + 1)])
def test_an_empty_or_endless_text_is_refused(store: MemoryStore, text: str) -> None:
    with pytest.raises(UsageError, match="4,000 characters"):
        store.add(AKI, text)


@pytest.mark.parametrize("top", [0, -1, 51, 10**9])
def test_a_number_out_of_range_is_refused(store: MemoryStore, top: int) -> None:
    with pytest.raises(UsageError, match="top must be between 1 and 50"):
        store.recall(AKI, "x", top=top)


# -- the store ----------------------------------------------------------------------------------------------


def test_memories_survive_a_restart(
    store: MemoryStore, tmp_path: Path, embedder: SentenceTransformerEmbedder
) -> None:
    memory = store.add(AKI, "q?", kind="answer", answer="a", cited=[Cited("d.md", "h", "quote", 3)])
    store.close()
    again = MemoryStore(tmp_path / "memory", lambda: embedder, now=Clock())
    assert again.listed(AKI) == [memory]
    again.close()


def test_a_memory_of_the_first_layout_is_read_with_nothing_lost(
    store: MemoryStore, tmp_path: Path, embedder: SentenceTransformerEmbedder
) -> None:
    database = open_database(tmp_path / "memory", create=True)
    fields = ("user", "text", "saved_at")
    older = database.collection(COLLECTION, dimension=embedder.signature.dimension, fields=fields)
    older.ensure()
    rows = [("k1", "default", ENGLISH), ("k2", "aki", JAPANESE), ("k3", "machine", OTHER)]
    vectors = embedder.embed_passages([text for *_, text in rows])
    older.upsert(
        [
            Row(key, {"user": user, "text": text, "saved_at": "2025-05-05T10:00:00+00:00"}, vector)
            for (key, user, text), vector in zip(rows, vectors, strict=True)
        ]
    )
    database.set_meta(f"signature:{COLLECTION}", json.dumps(embedder.signature.as_dict()))
    database.close()
    assert [(item.id, item.text, item.kind) for item in store.listed(MACHINE)] == [("k1", ENGLISH, "fact")]
    assert [(item.id, item.created[:10]) for item in store.listed(AKI)] == [("k2", "2025-05-05")]
    assert [item.text for item in store.listed("user:machine")] == [OTHER]
    assert texts(store, AKI, "担当している設備は何ですか。") == [JAPANESE]


def test_a_memory_of_a_newer_layout_is_refused_in_one_line_and_stays(
    store: MemoryStore, tmp_path: Path, embedder: SentenceTransformerEmbedder
) -> None:
    store.add(AKI, ENGLISH)
    store.close()
    database = open_database(tmp_path / "memory", create=False)
    database.set_meta(f"layout:{COLLECTION}", str(LAYOUT + 1))
    database.close()
    with pytest.raises(TekioError, match=f"has layout {LAYOUT + 1}") as raised:
        store.listed(AKI)
    assert "\n" not in str(raised.value)
    database = open_database(tmp_path / "memory", create=False)
    database.set_meta(f"layout:{COLLECTION}", str(LAYOUT))
    database.close()
    assert len(store.listed(AKI)) == 1


def test_a_file_that_is_no_database_is_refused_in_one_line(store: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "index.sqlite3").write_bytes(b"no database at all" * 100)
    with pytest.raises(IndexDamagedError, match="move the folder away"):
        store.listed(AKI)


def test_memories_of_another_embedder_are_embedded_anew(
    store: MemoryStore, tmp_path: Path, model_store: object
) -> None:
    store.add(AKI, OTHER)
    store.add(BEN, ENGLISH)
    store.close()
    found = model_store.resolve("all-MiniLM-L6-v2")  # type: ignore[attr-defined]
    other = SentenceTransformerEmbedder(found.folder, model=found.name, revision="another")
    again = MemoryStore(tmp_path / "memory", lambda: other, now=Clock())
    assert texts(again, AKI, "When is the meeting about the budget?") == [OTHER]
    assert texts(again, AKI, "How are pumps repaired?") == []
    again.close()


async def test_another_program_reads_them_as_a_collection(
    store: MemoryStore, tmp_path: Path, embedding: EmbeddingService
) -> None:
    store.add(AKI, OTHER)
    store.close()
    signature = embedding.embedder.signature
    made: FaissCollection[str, Any] = FaissCollection(  # type: ignore[call-arg]
        record_type=memory_record_type(signature.dimension),
        folder=tmp_path / "memory",
        embedding_generator=embedding,
        signature=signature,
    )
    async with made as collection:
        found = await collection.search("When is the meeting?", top=1)
        assert [item.record.text async for item in found.results] == [OTHER]
