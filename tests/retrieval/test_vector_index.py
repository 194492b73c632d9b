"""The dense index over rows that come and go: exact when small, in lists when large, never a wrong score."""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.id_set import IdSet
from retrieval.vector_index import VectorIndex
from retrieval.vector_pieces import FlatPiece, ListPiece

SIZE = 16


class Rows:
    """A table of unit vectors whose rows get ids that are never used again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection = sqlite3.connect(
            folder / "rows.sqlite3", check_same_thread=False, isolation_level=None
        )
        self.connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY AUTOINCREMENT, vector BLOB)")
        self.generation = 0
        self._random = np.random.default_rng(1)

    def add(self, count: int, *, near: np.ndarray | None = None) -> None:
        drawn = self._random.normal(size=(count, SIZE)) * (0.3 if near is not None else 1.0)
        vectors = drawn + (0 if near is None else near)
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        with self.changing():
            self.connection.executemany(
                "INSERT INTO rows (vector) VALUES (?)", [(vector.tobytes(),) for vector in vectors]
            )

    def remove(self, ids: list[int]) -> None:
        with self.changing():
            self.connection.executemany("DELETE FROM rows WHERE id = ?", [(each,) for each in ids])

    @contextmanager
    def changing(self) -> Iterator[None]:
        self.connection.execute("BEGIN")
        yield
        self.connection.execute("COMMIT")
        self.generation += 1

    def held(self) -> dict[int, np.ndarray]:
        found = self.connection.execute("SELECT id, vector FROM rows")
        return {row[0]: np.frombuffer(row[1], np.float32) for row in found}

    def index(self, exact_rows: int = 10**6) -> VectorIndex:
        return VectorIndex(self.folder, "c", "rows", SIZE, "12345678", exact_rows=exact_rows)


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    return Rows(tmp_path)


def best(held: dict[int, np.ndarray], query: np.ndarray, k: int, among: set[int] | None = None) -> list[int]:
    scores = {row: float(vector @ query) for row, vector in held.items() if among is None or row in among}
    return sorted(scores, key=lambda row: (-scores[row], row))[:k]


def query_of(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=SIZE)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 30), st.sets(st.integers(0, 60))), min_size=1, max_size=6))
def test_a_small_index_finds_exactly_what_is_there_whatever_came_and_went(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, set[int]]]
) -> None:
    rows = Rows(tmp_path_factory.mktemp("rows"))
    index = rows.index()
    for added, removed in changes:
        rows.add(added)
        rows.remove([row for row in removed if row in rows.held()])
        held = rows.held()
        query = query_of(added)
        found = index.search(rows.connection, rows.generation, query, 10)
        assert [row for row, _ in found] == best(held, query, 10)
        for row, score in found:
            assert score == pytest.approx(float(held[row] @ query), abs=1e-5)
        among = {row for row in held if row % 3 == 0}
        allowed = IdSet(np.array(sorted(among), np.int64))
        found = index.search(rows.connection, rows.generation, query, 10, allowed)
        assert [row for row, _ in found] == best(held, query, 10, among)


def filled(rows: Rows) -> None:
    """Put vectors in clusters, as those of texts are."""
    for seed in range(40):
        rows.add(50, near=query_of(1000 + seed))


def recall(rows: Rows, index: VectorIndex, among: set[int] | None = None) -> float:
    held = rows.held()
    allowed = None if among is None else IdSet(np.array(sorted(among), np.int64))
    hits = total = 0
    for row in list(held)[::37]:
        found = index.search(rows.connection, rows.generation, held[row], 10, allowed)
        for found_row, score in found:
            assert score == pytest.approx(float(held[found_row] @ held[row]), abs=1e-5)
        true = best(held, held[row], 10, among)
        hits += len({each for each, _ in found} & set(true))
        total += len(true)
    return hits / total


def test_a_large_index_looks_through_some_lists_and_finds_nearly_all_with_exact_scores(rows: Rows) -> None:
    filled(rows)
    index = rows.index(exact_rows=500)
    index.save(rows.connection, rows.generation)
    (piece,) = index.current(rows.connection, rows.generation).pieces
    assert isinstance(piece, ListPiece)
    assert piece.index.nprobe < piece.index.nlist
    assert recall(rows, index) > 0.95


def test_a_filter_on_a_large_index_finds_what_lies_far_from_the_query_too(rows: Rows) -> None:
    """Lists near the query may hold none of the rows that are allowed, as with texts in another language."""
    filled(rows)
    index = rows.index(exact_rows=500)
    index.save(rows.connection, rows.generation)
    ids = sorted(rows.held())
    assert recall(rows, index, set(ids[:300])) > 0.95
    assert recall(rows, index, set(ids[:7])) == 1.0
    assert index.search(rows.connection, rows.generation, query_of(1), 5, IdSet(np.array([], np.int64))) == []


def test_rows_that_come_and_go_after_the_lists_were_made_are_found_and_gone(rows: Rows) -> None:
    filled(rows)
    index = rows.index(exact_rows=500)
    index.save(rows.connection, rows.generation)
    before = max(rows.held())
    rows.add(20, near=query_of(1000))
    gone = list(rows.held())[::3]
    rows.remove(gone)
    assert recall(rows, index) > 0.95
    found = index.search(rows.connection, rows.generation, query_of(1000), 2000)
    assert not {row for row, _ in found} & set(gone)
    assert {row for row in rows.held() if row > before} <= {row for row, _ in found}
    index.save(rows.connection, rows.generation)  # a third is gone: written again, in the same lists
    (piece,) = index.current(rows.connection, rows.generation).pieces
    assert sorted(rows.held()) == piece.ids.tolist()
    assert recall(rows, rows.index(exact_rows=500)) > 0.95


def test_a_few_changes_do_not_write_a_large_file_again_and_are_found_by_the_next_who_opens_it(
    rows: Rows,
) -> None:
    filled(rows)
    rows.index(exact_rows=500).save(rows.connection, rows.generation)
    (written,) = rows.folder.glob("*.faiss")
    stamp = written.stat().st_mtime_ns
    rows.add(10)
    added = list(rows.held())[-1]
    rows.index(exact_rows=500).save(rows.connection, rows.generation)
    (after,) = rows.folder.glob("*.faiss")
    assert (after, after.stat().st_mtime_ns) == (written, stamp)
    ((found, score),) = rows.index(exact_rows=500).search(
        rows.connection, rows.generation, rows.held()[added], 1
    )
    assert found == added
    assert score == pytest.approx(1.0, abs=1e-5)


def test_a_search_beside_a_large_ingest_makes_the_lists_once(
    rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    """The file is far behind until the ingest ends; each document of it is a generation."""
    rows.add(100)
    rows.index(exact_rows=500).save(rows.connection, rows.generation)
    filled(rows)
    reader = rows.index(exact_rows=500)
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            rows.add(3)
            newest = max(rows.held())
            vector = rows.held()[newest]
            assert reader.search(rows.connection, rows.generation, vector, 1)[0][0] == newest
    assert caplog.text.count("are put in order") == 1
    reader.save(rows.connection, rows.generation)
    (piece,) = rows.index(exact_rows=500).current(rows.connection, rows.generation).pieces
    assert isinstance(piece, ListPiece)
    assert piece.ids.tolist() == sorted(rows.held())


def test_an_index_that_shrinks_is_exact_again(rows: Rows) -> None:
    filled(rows)
    index = rows.index(exact_rows=500)
    index.save(rows.connection, rows.generation)
    rows.remove(list(rows.held())[400:])
    index.save(rows.connection, rows.generation)
    (piece,) = index.current(rows.connection, rows.generation).pieces
    assert isinstance(piece, FlatPiece)
    assert recall(rows, index) == 1.0


@pytest.mark.parametrize("damage", ["cut", "other kind", "other dimension", "empty"])
@pytest.mark.parametrize("exact_rows", [500, 10**6])
def test_a_damaged_file_is_named_and_made_again(
    rows: Rows, caplog: pytest.LogCaptureFixture, damage: str, exact_rows: int
) -> None:
    filled(rows)
    rows.index(exact_rows).save(rows.connection, rows.generation)
    (file,) = rows.folder.glob("*.faiss")
    if damage == "cut":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif damage == "empty":
        file.write_bytes(b"")
    else:
        size = SIZE if damage == "other kind" else 8
        piece = FlatPiece.of(np.arange(9), np.eye(size, dtype=np.float32)[np.arange(9) % size])
        if damage == "other kind":
            import faiss

            faiss.write_index(faiss.IndexFlatL2(SIZE), str(file))
        else:
            piece.write(file)
    with caplog.at_level(logging.WARNING):
        index = rows.index(exact_rows)
        assert recall(rows, index) > 0.95
    assert file.name in caplog.text


def test_a_search_that_began_earlier_sees_the_rows_of_its_own_time(rows: Rows) -> None:
    rows.add(300)
    index = rows.index()
    older = sqlite3.connect(rows.folder / "rows.sqlite3", isolation_level=None)
    rows.connection.execute("PRAGMA journal_mode = WAL")
    older.execute("BEGIN")
    first = next(iter(rows.held()))
    vector = rows.held()[first]
    older.execute("SELECT count(*) FROM rows").fetchone()
    before = rows.generation
    rows.remove([first])
    assert index.search(rows.connection, rows.generation, vector, 1)[0][0] != first
    assert index.search(older, before, vector, 1)[0][0] == first
    assert index.search(rows.connection, rows.generation, vector, 1)[0][0] != first
    older.close()


def test_searches_go_on_while_another_index_of_the_folder_writes_lists_anew(rows: Rows) -> None:
    filled(rows)
    index = rows.index(exact_rows=500)
    index.save(rows.connection, rows.generation)
    reader = rows.index(exact_rows=500)
    held = rows.held()
    target = list(held)[5]
    stop, seen, failed = threading.Event(), [0], []

    def search() -> None:
        connection = sqlite3.connect(rows.folder / "rows.sqlite3")
        while not stop.is_set():
            try:
                found = reader.search(connection, rows.generation, held[target], 1)
                assert found[0][0] == target
                seen[0] += 1
            except Exception as error:
                failed.append(error)
                return

    thread = threading.Thread(target=search)
    thread.start()
    try:
        for _ in range(3):
            rows.add(1000)
            index.save(rows.connection, rows.generation)
    finally:
        stop.set()
        thread.join()
    assert not failed
    assert seen[0] > 0
