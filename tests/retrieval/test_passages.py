import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from retrieval.embedding import EmbedderSignature
from retrieval.errors import (
    IndexBusyError,
    IndexDamagedError,
    IndexMissingError,
    IndexSignatureError,
    UsageError,
)
from retrieval.filters import Where
from retrieval.keyword_tokens import Term
from retrieval.passages import PassageIndex
from retrieval.records import Chunk, SourceDocument
from retrieval.stores.opening import Place

SIGNATURE = EmbedderSignature("model", "1", 4, "query: ", "passage: ", True, "test")
AXES = np.eye(4, dtype=np.float32)


def document(name: str, text: str, **more: object) -> SourceDocument:
    values = {
        "title": name,
        "format": "text",
        "content_hash": text,
        "size": len(text),
        "mtime_ns": 1,
        "language": "en",
    }
    return SourceDocument(path=f"/{name}", name=name, text=text, **(values | more))  # type: ignore[arg-type]


def put(index: PassageIndex, name: str, text: str, axis: int, **more: object) -> None:
    index.replace(document(name, text, **more), [Chunk(text, 0, len(text))], AXES[axis : axis + 1])


@pytest.fixture
def index(place: Place) -> Iterator[PassageIndex]:
    with closing(PassageIndex(place, SIGNATURE, create=True)) as opened:
        yield opened


def names(index: PassageIndex, query: str, axis: int, **more: object) -> list[str]:
    return [item.document for item in index.search(query, AXES[axis], top_k=10, **more)]  # type: ignore[arg-type]


def test_a_replaced_document_leaves_nothing_of_its_old_text(index: PassageIndex) -> None:
    put(index, "a", "the old valve", 0)
    put(index, "a", "a new pump", 1)
    assert index.store.keyword([Term("valv")], top=5) == []
    assert index.store.count() == 1
    assert [item.text for item in index.search("valve", AXES[0], top_k=5)] == ["a new pump"]


def test_a_removed_document_is_gone_from_words_vectors_and_list(index: PassageIndex) -> None:
    put(index, "a", "the valve", 0)
    put(index, "b", "the pump", 1)
    index.remove("/a")
    assert names(index, "valve", 0) == ["b"]
    assert index.store.keyword([Term("valv")], top=5) == []
    assert [item.document for item in index.documents()] == ["b"]


def test_a_failed_write_leaves_the_index_as_it_was(index: PassageIndex) -> None:
    put(index, "a", "the valve", 0)
    bad = np.full((1, 4), np.nan, np.float32)
    with pytest.raises(UsageError, match="finite"):
        index.replace(document("a", "other"), [Chunk("other", 0, 5)], bad)
    assert names(index, "valve", 0) == ["a"]


def test_a_question_finds_the_passage_in_the_other_language_before_chance_hits(index: PassageIndex) -> None:
    """Texts of one language lie together: without taking that off, all of them come before the right one."""
    towards_japanese = np.array([[0.9, 0.0, 0.1, 0.0], [0.9, 0.1, 0.0, 0.0]], np.float32)
    for number, vector in enumerate(towards_japanese):
        text = f"日本語の文{number}"
        index.replace(document(f"ja{number}", text, language="ja"), [Chunk(text, 0, len(text))], vector[None])
    put(index, "en-right", "valve pressure", 1)
    put(index, "en-other", "something else", 3)
    query = np.array([0.8, 0.6, 0.0, 0.0], np.float32)  # a Japanese question about what en-right says
    assert index.search("圧力", query, top_k=1)[0].document == "en-right"


def test_exact_words_are_found_that_the_vector_does_not_know(index: PassageIndex) -> None:
    put(index, "a", "part XR-77 needs 12 N m", 0)
    put(index, "b", "part XR-78 needs 14 N m", 1)
    put(index, "c", "lunch is at noon", 2)
    zero = np.full(4, 0.5, np.float32)
    assert index.search("XR-78", zero, top_k=1)[0].document == "b"


def test_half_width_and_full_width_words_are_the_same(index: PassageIndex) -> None:
    put(index, "a", "ﾎﾟﾝﾌﾟの点検は毎月行う。", 0, language="ja")
    put(index, "b", "弁の点検は毎年行う。", 1, language="ja")
    neutral = np.full(4, 0.5, np.float32)
    assert index.search("ポンプの点検", neutral, top_k=1)[0].document == "a"


def test_a_filter_is_applied_before_the_search(index: PassageIndex) -> None:
    for number in range(12):
        put(index, f"en{number}", f"valve {number}", 0)
    put(index, "ja", "バルブ", 3, language="ja")
    assert names(index, "valve", 0, where=Where("language", "==", "ja")) == ["ja"]


@pytest.mark.parametrize("top_k", [0, -1, 10**9])
def test_a_top_k_out_of_range_is_refused(index: PassageIndex, top_k: int) -> None:
    with pytest.raises(UsageError, match="top_k"):
        index.search("valve", AXES[0], top_k=top_k)


def test_an_empty_index_finds_nothing(index: PassageIndex) -> None:
    assert names(index, "valve", 0) == []


def test_passages_know_their_page_and_the_very_text(index: PassageIndex) -> None:
    text = "first page. second page."
    chunk = Chunk(text[12:], 12, len(text), page=2)
    index.replace(document("a", text, page_starts=(0, 12)), [chunk], AXES[:1])
    (found,) = index.search("second", AXES[0], top_k=1)
    assert (found.page, found.page_of(3), found.page_of(12)) == (2, 1, 2)
    assert index.quote(found.id, found.start, found.end) == "second page."


def test_another_embedder_is_refused_and_named(tmp_path: Path) -> None:
    PassageIndex(tmp_path, SIGNATURE, create=True).close()
    other = EmbedderSignature("other", "1", 4, "query: ", "passage: ", True, "test")
    with pytest.raises(IndexSignatureError, match=r"model 'model' there, 'other' now"):
        PassageIndex(tmp_path, other)


def test_a_missing_index_says_what_to_run_and_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(IndexMissingError, match="run `ingest PATH` first"):
        PassageIndex(tmp_path / "none", SIGNATURE)
    assert not (tmp_path / "none").exists()


def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite3").write_bytes(b"not a database, but somebody's file" * 100)
    with pytest.raises(IndexDamagedError, match="cannot be read"):
        PassageIndex(tmp_path, SIGNATURE)
    assert (tmp_path / "index.sqlite3").read_bytes().startswith(b"not a database")


def test_a_second_writer_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    from retrieval.database import Database

    first = PassageIndex(tmp_path, SIGNATURE, create=True)
    second = Database(tmp_path, create=False, lock_wait=0.1)
    with first.writing(), pytest.raises(IndexBusyError, match=r"process \d+ is writing"), second.writer():
        pass
    with second.writer():
        pass


def test_a_reader_sees_what_another_process_wrote_without_reopening(tmp_path: Path) -> None:
    writer = PassageIndex(tmp_path, SIGNATURE, create=True)
    put(writer, "a", "the valve", 0)
    reader = PassageIndex(tmp_path, SIGNATURE)
    assert names(reader, "valve", 0) == ["a"]
    put(writer, "b", "the valve too", 0)
    writer.remove("/a")
    assert names(reader, "valve", 0) == ["b"]


def test_a_writer_with_nothing_to_do_mends_what_a_killed_one_left(tmp_path: Path) -> None:
    """Killed after its rows were written: before its files were, or between a file's end and the cleaning up."""
    folder = tmp_path / "index"
    index = PassageIndex(folder, SIGNATURE, create=True)
    with index.writing():
        put(index, "a", "the valve", 0)
    index.close()
    written = {path.name for path in folder.iterdir() if path.suffix in {".faiss", ".keywords"}}
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for name in written:
        (folder / name).rename(folder / f"{Path(name).stem}.{gone.pid}.tmp")
    again = PassageIndex(folder, SIGNATURE, create=True)
    with again.writing():
        pass
    again.close()
    assert len(written) == 2
    assert written <= {path.name for path in folder.iterdir()}
    assert not list(folder.glob("*.tmp"))


def test_after_writing_the_log_is_small_and_a_reader_does_not_hold_the_writer_up(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with closing(PassageIndex(folder, SIGNATURE, create=True)) as index:
        with index.writing():
            put(index, "a", "the valve " * 20_000, 0)
        assert (folder / "index.sqlite3-wal").stat().st_size == 0
        with closing(PassageIndex(folder, SIGNATURE)) as reader, reader.database.read():
            reader.store.count()
            began = time.monotonic()
            with index.writing():
                put(index, "b", "the pump " * 20_000, 1)
            assert time.monotonic() - began < 10
            assert reader.store.count() == 1
        assert index.store.count() == 2
