"""The write-ahead log is turned on also where several connections do so at once."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from retrieval.write_ahead import turn_on_write_ahead_log


def opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=5, isolation_level=None, check_same_thread=False)


def test_connections_that_turn_it_on_at_once_wait_for_each_other(tmp_path: Path) -> None:
    failures: list[Exception] = []

    def open_together(file: Path, start: threading.Barrier) -> None:
        with closing(opened(file)) as connection:
            start.wait()
            try:
                turn_on_write_ahead_log(connection, within_seconds=5)
            except sqlite3.Error as error:
                failures.append(error)

    for attempt in range(50):  # without waiting, one of ten such files fails
        start = threading.Barrier(4)
        file = tmp_path / f"{attempt}.sqlite3"
        threads = [threading.Thread(target=open_together, args=(file, start)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with closing(opened(file)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert not failures


def test_a_file_that_stays_locked_is_told_when_the_time_is_over(tmp_path: Path) -> None:
    file = tmp_path / "held.sqlite3"
    with closing(opened(file)) as holder, closing(opened(file)) as other:
        holder.execute("CREATE TABLE held (a)")
        holder.execute("BEGIN EXCLUSIVE")
        other.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            turn_on_write_ahead_log(other, within_seconds=0.05)
        holder.execute("COMMIT")
        turn_on_write_ahead_log(other, within_seconds=5)


def test_what_is_no_database_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("This is no database. " * 100)
    with closing(opened(file)) as connection, pytest.raises(sqlite3.DatabaseError, match="not a database"):
        turn_on_write_ahead_log(connection, within_seconds=60)
