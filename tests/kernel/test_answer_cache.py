"""The file of stored answers: bounded, wiped, and never the reason that a question fails."""

import logging
import sqlite3
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from kernel.answer_cache import AnswerCache, Stored


def stored(name: str, *, documents: tuple[int, ...] = (1,), text: str = "{}", scope: bytes = b"s") -> Stored:
    vector = np.array([1.0, 0.0], np.float32)
    return Stored(name.encode(), scope, name, "index", "1:x", b"found", False, text, documents, vector)


def test_an_answer_comes_back_as_it_was_put(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "new" / "answers.sqlite")
    cache.put(stored("何度ですか", text='{"answer": "5℃"}'))
    found = cache.get("何度ですか".encode())
    assert found is not None
    assert (found.question, found.answer, found.version) == ("何度ですか", '{"answer": "5℃"}', "1:x")
    assert abs(found.made - time.time()) < 5
    assert cache.get(b"other") is None
    assert [question for _, question, _ in cache.similar(b"s")] == ["何度ですか"]
    assert cache.similar(b"another scope") == []
    assert cache.file.stat().st_mode & 0o077 == 0, "only its owner reads what documents say"


def test_answers_whose_documents_are_gone_are_taken_out_and_wiped(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "answers.sqlite")
    cache.put(stored("a", documents=(1, 2), text="the secret of document two"))
    cache.put(stored("b", documents=(1,)))
    assert cache.keep_only({1, 3}) == 1
    assert cache.get(b"a") is None
    assert cache.get(b"b") is not None
    assert cache.forget({1}) == 1
    cache.clear()
    cache.close()
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"secret of document two" not in held


def test_the_least_recently_used_go_when_there_are_too_many(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "answers.sqlite", most_mb=1)
    for number in range(12):
        cache.put(stored(f"{number}", text="x" * 100_000))
        cache.used(b"0", "2:x")
    state = cache.state()
    assert state.size <= state.most == 1 << 20
    assert 8 <= state.answers <= 11
    assert cache.get(b"0") is not None, "it was used"
    assert cache.get(b"1") is None
    cache.put(stored("huge", text="x" * (2 << 20)))
    assert cache.get(b"huge") is None


def test_a_damaged_file_is_no_fault_and_is_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "answers.sqlite"
    file.write_bytes(b"this is no database" * 100)
    cache = AnswerCache(file)
    with caplog.at_level(logging.WARNING):
        assert cache.get(b"a") is None
    assert "stored answers are not used" in caplog.text
    cache.put(stored("a"))
    assert cache.get(b"a") is not None


def test_a_folder_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = AnswerCache(tmp_path / "file" / "answers.sqlite")
    cache.put(stored("a"))
    assert cache.get(b"a") is None
    assert cache.state().answers == 0
    assert cache.clear() == 0


def test_looking_makes_no_file(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "answers.sqlite")
    assert cache.state().answers == cache.clear() == cache.keep_only(()) == 0
    assert list(tmp_path.iterdir()) == []


def test_another_version_of_the_file_is_emptied(tmp_path: Path) -> None:
    file = tmp_path / "answers.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE answers (old TEXT)")
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    cache = AnswerCache(file)
    cache.put(stored("a"))
    assert cache.get(b"a") is not None


@pytest.mark.parametrize("attempt", range(5))  # they open a new file at once, which is a race
def test_threads_and_a_second_process_view_share_a_file(tmp_path: Path, attempt: int) -> None:
    caches = [AnswerCache(tmp_path / f"answers{attempt}.sqlite") for _ in range(2)]

    def work(number: int) -> None:
        for step in range(20):
            caches[number % 2].put(stored(f"{number}-{step}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert caches[0].state().answers == 80
