"""A watched folder is told of when something in it changes, and not for what lies hidden in it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.watch import changes


@pytest.fixture
def told(tmp_path: Path) -> Iterator[queue.Queue[float]]:
    root = tmp_path / "docs"
    (root / ".tekio").mkdir(parents=True)
    (root / "a.txt").write_text("a")
    times: queue.Queue[float] = queue.Queue()
    stop = threading.Event()

    def follow() -> None:
        for _ in changes([root], stop=stop):
            times.put(time.monotonic())

    thread = threading.Thread(target=follow)
    thread.start()
    time.sleep(1.0)  # until the watch stands
    yield times
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_changes_deletions_and_new_files_are_told(tmp_path: Path, told: queue.Queue[float]) -> None:
    root = tmp_path / "docs"
    (root / "a.txt").write_text("changed")
    told.get(timeout=10)
    (root / "new").mkdir()
    told.get(timeout=10)
    (root / "new" / "b.txt").write_text("b")
    told.get(timeout=10)
    (root / "a.txt").unlink()
    told.get(timeout=10)


def test_what_is_written_into_a_hidden_index_is_not_told(tmp_path: Path, told: queue.Queue[float]) -> None:
    (tmp_path / "docs" / ".tekio" / "index.sqlite3").write_text("written by the ingest itself")
    with pytest.raises(queue.Empty):
        told.get(timeout=3)
