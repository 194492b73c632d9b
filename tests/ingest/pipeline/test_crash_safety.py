"""An ingest may be killed at any moment: the index opens, is whole, and the next ingest completes it."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.access import Access, Caller
from retrieval.collection_store import CollectionStore
from retrieval.database import SCHEMA_VERSION, Database
from retrieval.errors import IndexBusyError, IndexMissingError, IndexSignatureError
from retrieval.passages import PassageIndex
from retrieval.vector_pieces import FlatPiece
from tests.ingest import crash_child

KILLS = 100
FILES = 24


class Corpus:
    """A folder that changes, and what each file may hold in an index that was killed while following."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.root = root
        self.chance = chance
        self.serial = 0
        self.possible: dict[str, set[str | None]] = {}
        root.mkdir()
        for number in range(FILES):
            self.write(f"{number:02d}.txt")

    def write(self, name: str) -> None:
        self.serial += 1
        sentences = [
            f"Version {self.serial} of {name} says fact {n} here." for n in range(self.chance.randint(1, 40))
        ]
        paragraphs = "\n\n".join(sentences)
        (self.root / name).write_text(paragraphs)
        self.possible.setdefault(name, {None}).add(paragraphs)

    def change(self) -> None:
        names = sorted(path.name for path in self.root.iterdir())
        for name in self.chance.sample(names, 8):
            action = self.chance.choice(("write", "write", "delete", "move"))
            if action == "write":
                self.write(name)
            elif len(list(self.root.iterdir())) > FILES // 2:
                text = (self.root / name).read_text()
                (self.root / name).unlink()
                self.possible[name].add(None)
                if action == "move":
                    self.serial += 1
                    moved = f"moved-{self.serial}.txt"
                    (self.root / moved).write_text(text)
                    self.possible[moved] = {None, text}
        while len(list(self.root.iterdir())) < FILES:
            self.write(f"new-{self.serial}.txt")

    def settled(self) -> None:
        """Note that the index has followed: what is there now is all that may be there."""
        self.possible = {path.name: {path.read_text()} for path in self.root.iterdir()}


def check_whole(index: Path, corpus: Corpus) -> None:
    """Check every promise of an index: it opens, and what it holds belongs together."""
    try:
        store = PassageIndex(index, crash_child.SIGNATURE)
    except IndexMissingError:  # killed before its first transaction: as if it had not begun
        assert all(None in texts for texts in corpus.possible.values())
        return
    try:
        assert isinstance(store.database, Database)
        assert isinstance(store.store, CollectionStore)
        connection = store.database.connection
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
        rows = connection.execute("SELECT id, document_id, vector FROM rows_passages").fetchall()
        words = {row[0] for row in connection.execute("SELECT rowid FROM words_passages")}
        assert words == {row[0] for row in rows}
        with store.database.read():
            state = store.store._vector_index().current(connection, store.store.generation)
        assert state.ids.tolist() == sorted(row[0] for row in rows)
        held: dict[int, Any] = {}
        for piece in state.pieces:
            assert isinstance(piece, FlatPiece)
            ids, vectors = piece.vectors()
            held.update(zip(ids.tolist(), vectors, strict=True))
        for row_id, _, blob in rows:
            assert np.array_equal(held[row_id], np.frombuffer(blob, np.float32))
        counts: dict[int, int] = {}
        for _, document_id, _ in rows:
            counts[document_id] = counts.get(document_id, 0) + 1
        documents = connection.execute("SELECT id, name, text, chunks FROM documents").fetchall()
        assert counts == {row[0]: row[3] for row in documents}
        for _, name, text, _ in documents:
            assert text in corpus.possible[name], f"{name} is neither its old nor its new version"
        found = {name for _, name, _, _ in documents}
        for name, texts in corpus.possible.items():
            assert name in found or None in texts, f"{name} is lost"
    finally:
        store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_an_ingest_that_is_killed_a_hundred_times_leaves_a_whole_index_each_time(tmp_path: Path) -> None:
    chance = random.Random(20261125)
    index, corpus = tmp_path / "index", Corpus(tmp_path / "docs", chance)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.ingest.crash_child"])
    warm = context.Process(target=crash_child.run, args=(str(tmp_path / "warm"), str(corpus.root)))
    warm.start()
    warm.join()
    # How long a whole ingest takes, so that kills fall all over it.
    began = time.monotonic()
    whole = context.Process(target=crash_child.run, args=(str(tmp_path / "timed"), str(corpus.root)))
    whole.start()
    whole.join()
    # From nothing, and of what has changed.
    longest = dict.fromkeys((True, False), time.monotonic() - began)
    assert whole.exitcode == 0
    killed = 0
    for trial in range(KILLS):
        corpus.change()
        from_nothing = trial % 20 == 0
        if from_nothing:  # as the first ingest
            shutil.rmtree(index, ignore_errors=True)
            for texts in corpus.possible.values():
                texts.add(None)
        child = context.Process(target=crash_child.run, args=(str(index), str(corpus.root)))
        began = time.monotonic()
        child.start()
        child.join(chance.uniform(0, longest[from_nothing]))
        if child.exitcode is not None:  # there is less to do, or the machine has more time for it than before
            longest[from_nothing] = min(longest[from_nothing], time.monotonic() - began)
        child.kill()
        child.join()
        killed += child.exitcode == -9
        if (index / "index.sqlite3").exists():
            check_whole(index, corpus)
        if trial % 10 == 9:
            report = crash_child.ingest(index, corpus.root)
            assert report.failed == 0
            corpus.settled()
            check_whole(index, corpus)
            assert crash_child.ingest(index, corpus.root).unchanged == len(corpus.possible)
            assert not list(index.glob("*.tmp"))
    assert killed >= KILLS * 0.7, f"only {killed} of {KILLS} were under way when they were killed"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no resource limits")
def test_a_full_disk_is_told_and_leaves_the_old_index_whole(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "docs", random.Random(1))
    index = tmp_path / "index"
    crash_child.ingest(index, corpus.root)
    corpus.settled()
    before = sum(path.stat().st_size for path in index.iterdir())
    for number in range(60):
        corpus.write(f"more-{number}.txt")
    limited = (
        "import resource, signal, sys; from pathlib import Path; from retrieval.errors import TekioError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({before // 2}, {before // 2}))\n"
        "from tests.ingest import crash_child\n"
        "try: crash_child.ingest(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except TekioError as error: print(error); sys.exit(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, str(index), str(corpus.root)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "cannot write" in done.stdout
    assert done.stdout.count("\n") == 1
    check_whole(index, corpus)
    assert crash_child.ingest(index, corpus.root).failed == 0
    corpus.settled()
    check_whole(index, corpus)


def test_an_index_that_may_not_be_written_says_so_and_stays_as_it_is(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "docs", random.Random(2))
    index = tmp_path / "index"
    crash_child.ingest(index, corpus.root)
    corpus.settled()
    corpus.write("more.txt")
    code = (
        "import os, sys; from pathlib import Path; from retrieval.errors import TekioError\n"
        "from tests.ingest import crash_child\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        "try: crash_child.ingest(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except TekioError as error: print(error); sys.exit(1)\n"
    )
    for path in [*index.iterdir(), index]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for path in (tmp_path, *tmp_path.parents):
        if path == Path("/tmp") or not os.access(path, os.W_OK):
            break
        path.chmod(path.stat().st_mode | 0o055)
    done = subprocess.run(
        [sys.executable, "-c", code, str(index), str(corpus.root)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert str(index) in done.stdout
    assert done.stdout.count("\n") == 1
    for path in [index, *index.iterdir()]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    check_whole(index, corpus)


def test_a_second_ingest_says_who_holds_the_lock(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "docs", random.Random(3))
    index = tmp_path / "index"
    crash_child.ingest(index, corpus.root)
    code = (
        "import sys; from pathlib import Path; from retrieval.passages import PassageIndex\n"
        "from tests.ingest import crash_child\n"
        "with PassageIndex(Path(sys.argv[1]), crash_child.SIGNATURE).writing():\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(index)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == b"held\n"
    store = PassageIndex(index, crash_child.SIGNATURE)
    assert isinstance(store.database, Database)
    store.database._file_lock.timeout = 0.3
    with pytest.raises(IndexBusyError, match=f"process {holder.pid} is writing"), store.writing():
        pass
    holder.kill()  # a lock dies with its holder
    holder.wait()
    with store.writing():
        pass
    store.close()


@pytest.mark.parametrize("layout", [1, 2])
def test_an_index_of_an_older_layout_is_brought_up_to_date_and_keeps_its_documents(
    tmp_path: Path, layout: int
) -> None:
    corpus = Corpus(tmp_path / "docs", random.Random(4))
    index = tmp_path / "index"
    crash_child.ingest(index, corpus.root)
    corpus.settled()
    with sqlite3.connect(index / "index.sqlite3") as connection:
        to_older_layout(connection, layout)
    with pytest.raises(IndexSignatureError, match=r"keywords .* run `ingest`"):
        PassageIndex(index, crash_child.SIGNATURE)
    with closing(PassageIndex(index, crash_child.SIGNATURE, create=True)):
        pass  # the keywords are made anew, and nothing else
    check_whole(index, corpus)
    report = crash_child.ingest(index, corpus.root)
    # What was read by an older recipe is read again.
    assert (report.updated, report.failed) == ((FILES, 0) if layout == 1 else (0, 0))


def test_an_index_from_before_there_were_readers_is_everyones_and_can_be_given_some(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "docs", random.Random(4))
    index = tmp_path / "index"
    crash_child.ingest(index, corpus.root)
    corpus.settled()
    with sqlite3.connect(index / "index.sqlite3") as connection:
        to_layout_3(connection)
    with closing(PassageIndex(index, crash_child.SIGNATURE)) as store:
        assert len(store.documents(caller=Caller())) == FILES
        with store.writing():
            store.share(store.documents()[0].id, Access("mori", ()))
        assert len(store.documents(caller=Caller())) == FILES - 1
    check_whole(index, corpus)
    report = crash_child.ingest(index, corpus.root)
    assert (report.updated, report.failed) == (0, 0)


def to_layout_3(connection: sqlite3.Connection) -> None:
    """Make the tables of an index what they were before documents had readers."""
    connection.execute("DROP TABLE readers")
    connection.execute("ALTER TABLE documents DROP COLUMN owner")
    connection.execute("UPDATE meta SET value = '3' WHERE key = 'schema'")


def to_older_layout(connection: sqlite3.Connection, layout: int) -> None:
    """Make the tables of an index what they were."""
    to_layout_3(connection)
    connection.execute("DROP TRIGGER rows_passages_gone")
    connection.execute("ALTER TABLE words_passages RENAME TO newer")
    connection.execute("CREATE VIRTUAL TABLE words_passages USING fts5 (tokens, tokenize = 'unicode61')")
    connection.execute("INSERT INTO words_passages (rowid, tokens) SELECT id, tokens FROM newer")
    connection.execute("DROP TABLE newer")
    connection.execute("DROP TABLE late_passages")
    connection.execute("DROP INDEX rows_passages_language")
    connection.execute(
        "CREATE TRIGGER rows_passages_gone AFTER DELETE ON rows_passages BEGIN"
        " DELETE FROM words_passages WHERE rowid = old.id; END"
    )
    (signature,) = connection.execute("SELECT value FROM meta WHERE key = 'signature'").fetchone()
    older = json.dumps(json.loads(signature) | {"analysis": "1"})
    connection.execute("UPDATE meta SET value = ? WHERE key = 'signature'", (older,))
    if layout == 1:
        for column in ("created", "modified", "tags", "given_tags", "engines", "recipe"):
            connection.execute(f"ALTER TABLE documents DROP COLUMN {column}")
        connection.execute("DROP INDEX rows_passages_digest")
        connection.execute("ALTER TABLE rows_passages DROP COLUMN digest")
    connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (str(layout),))


def test_every_older_layout_is_tested_here() -> None:
    assert SCHEMA_VERSION == 4, (
        "write a test that brings an index of the last layout up to date, then change this"
    )
