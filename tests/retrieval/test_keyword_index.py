"""The keyword index beside a BM25 that is written down plainly."""

from __future__ import annotations

import math
import shutil
import sqlite3
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.collection_store import CollectionStore
from retrieval.database import DATABASE_FILE, Database
from retrieval.keyword_index import K1, B
from retrieval.keyword_segment import Segment
from retrieval.keyword_tokens import Term
from retrieval.stores.interface import Row

WORDS = st.sampled_from(["valve", "pump", "seal", "oil", "弁"])
TEXTS = st.lists(st.lists(WORDS, max_size=6), max_size=12)


def plain_bm25(texts: dict[int, list[str]], query: list[str]) -> dict[int, float]:
    """BM25 as it stands in the book."""
    mean = sum(map(len, texts.values())) / max(len(texts), 1) or 1.0
    scores: dict[int, float] = {}
    for word in query:
        n = sum(word in tokens for tokens in texts.values())
        rarity = math.log(1 + (len(texts) - n + 0.5) / (n + 0.5))
        for row, tokens in texts.items():
            if count := Counter(tokens)[word]:
                norm = K1 * (1 - B + B * len(tokens) / mean)
                scores[row] = scores.get(row, 0.0) + rarity * count * (K1 + 1) / (count + norm)
    return scores


def store_in(folder: Path) -> CollectionStore:
    store = CollectionStore(Database(folder, create=True), "notes", dimension=2, fields=["n"])
    store.ensure()
    return store


def put(store: CollectionStore, number: int, tokens: list[str]) -> None:
    store.upsert([Row(number, {"n": number}, np.array([1, 0], np.float32), tokens)])


def found(store: CollectionStore, *words: str) -> dict[int, float]:
    hits = store.keyword([Term(word) for word in words], top=100)
    keys = {row_id: int(hit.key) for row_id, hit in store.rows([row_id for row_id, _ in hits]).items()}
    return {keys[row_id]: score for row_id, score in hits}


@settings(max_examples=40, deadline=None)
@given(
    texts=TEXTS, gone=st.sets(st.integers(0, 11)), query=st.lists(WORDS, min_size=1, max_size=3, unique=True)
)
def test_a_grown_and_shrunk_index_scores_as_the_plain_formula(
    tmp_path_factory: pytest.TempPathFactory, texts: list[list[str]], gone: set[int], query: list[str]
) -> None:
    store = store_in(tmp_path_factory.mktemp("index"))
    for number, tokens in enumerate(texts):
        put(store, number, tokens)
        if number % 4 == 3:
            store.keyword([Term("valve")], top=1)  # so that it is brought up to date piece by piece
    store.delete([number for number in gone if number < len(texts)])
    left = {number: tokens for number, tokens in enumerate(texts) if number not in gone}
    assert found(store, *query) == pytest.approx(plain_bm25(left, query), rel=1e-4)
    store.database.close()


def test_the_scores_of_chosen_rows_are_those_of_the_search(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for number, tokens in enumerate([["valve", "valve"], ["pump"], ["valve", "oil"]]):
        put(store, number, tokens)
    terms = [Term("valve"), Term("oil")]
    hits = dict(store.keyword(terms, top=10))
    ids = [hit.id for hit in store.select()]
    scores, ceiling = store.keyword_scores(terms, [*ids, 999])
    assert dict(zip(ids, scores.tolist(), strict=False)) == pytest.approx({i: hits.get(i, 0.0) for i in ids})
    assert scores[-1] == 0
    assert ceiling > max(hits.values())


def test_a_second_process_reads_the_files_and_gives_the_same(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for number in range(5):
        put(store, number, ["valve"] * (number + 1))
    before = found(store, "valve")
    store.save_index()
    store.database.close()
    assert list(tmp_path.glob("*.keywords"))
    assert found(store_in(tmp_path), "valve") == before


@pytest.mark.parametrize("harm", ["cut", "gone", "list"])
def test_a_damaged_file_is_made_again_and_said(
    tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = store_in(tmp_path)
    for number in range(5):
        put(store, number, ["valve", "pump"])
    before = found(store, "valve")
    store.save_index()
    store.database.close()
    (postings,) = tmp_path.glob("*.postings")
    if harm == "cut":
        file = postings / "places.npy"
        file.write_bytes(file.read_bytes()[:-4])
    elif harm == "gone":
        shutil.rmtree(postings)
    else:
        next(tmp_path.glob("*.keywords")).write_text("{}")
    assert found(store_in(tmp_path), "valve") == before
    assert "is made again" in caplog.text


def test_files_of_older_generations_are_taken_away(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for number in range(3):
        put(store, number, ["valve"])
        store.save_index()
    store.delete([0, 1, 2])
    store.save_index()
    assert len(list(tmp_path.glob("*.keywords"))) == 1
    assert len(list(tmp_path.glob("*.postings"))) <= 1


def test_a_word_that_stands_nowhere_is_looked_for_otherwise(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    put(store, 1, ["・メマイ"])
    assert store.keyword([Term("目眩")], top=5) == []
    assert len(store.keyword([Term("目眩", "・メマイ")], top=5)) == 1


@given(TEXTS, TEXTS, st.sets(st.integers(1, 24)))
def test_a_merged_segment_holds_what_one_made_at_once_does(
    first: list[list[str]], second: list[list[str]], gone: set[int]
) -> None:
    rows = list(enumerate([*first, *second], start=1))
    parts = [Segment.of(rows[: len(first)]), Segment.of(rows[len(first) :])]
    merged = Segment.merged(parts, np.array(sorted(gone), np.int64))
    at_once = Segment.of([row for row in rows if row[0] not in gone])
    for name in ("ids", "lengths", "hashes", "starts", "places", "counts"):
        assert np.array_equal(getattr(merged, name), getattr(at_once, name)), name


def test_what_is_written_after_every_change_is_what_is_read(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    texts: dict[int, list[str]] = {}
    random = np.random.default_rng(3)
    for number in range(60):
        texts[number] = random.choice(["valve", "pump", "seal", "oil"], size=4).tolist()
        put(store, number, texts[number])
        if number % 3 == 2:
            gone = int(random.choice(list(texts)))
            store.delete([gone])
            del texts[gone]
        store.save_index()  # merges segments all the time, and lets go of the old ones
        again = store_in(tmp_path)
        assert found(again, "valve", "oil") == pytest.approx(plain_bm25(texts, ["valve", "oil"]), rel=1e-4)
        again.database.close()


def test_a_search_that_began_earlier_sees_the_rows_of_its_own_time(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for number in range(8):
        put(store, number, ["valve"] * (number % 3 + 1))
    texts = {number: ["valve"] * (number % 3 + 1) for number in range(8)}
    index = store._keyword_index()
    before = store.generation
    older = sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)
    older.execute("BEGIN")
    older.execute("SELECT count(*) FROM documents").fetchone()
    put(store, 8, ["valve"])
    store.delete([3, 5])
    assert 3 not in found(store, "valve")
    seen = dict(index.search(older, before, [Term("valve")], 100))
    keys = {row[0]: int(row[1]) for row in older.execute("SELECT id, key FROM rows_notes")}
    assert {keys[row]: score for row, score in seen.items()} == pytest.approx(
        plain_bm25(texts, ["valve"]), rel=1e-4
    )
    later = {number: tokens for number, tokens in texts.items() if number not in {3, 5}} | {8: ["valve"]}
    assert found(store, "valve") == pytest.approx(plain_bm25(later, ["valve"]), rel=1e-4)
    older.close()
    store.database.close()
