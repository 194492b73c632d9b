"""What is PostgreSQL's own: the same figures as the folder's, its graph of vectors, its lock, its faults."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import IndexBusyError, IndexMissingError, TekioError, UsageError
from retrieval.filters import All, Filter, Where
from retrieval.keyword_tokens import Term
from retrieval.passages import PassageIndex
from retrieval.records import Chunk
from retrieval.stores.interface import Row
from retrieval.stores.opening import beside, shown
from retrieval.stores.postgres_address import PostgresAddress
from retrieval.stores.postgres_collection import PostgresCollection
from retrieval.stores.postgres_database import PostgresDatabase
from tests.retrieval.test_passages import AXES, SIGNATURE, document, names, put

WORDS = ["valve", "pump", "seal", "弁", "ポンプ", "it's", "a:b", "%x?", '"q"', "\\d"]


@pytest.fixture
def address(postgresql: str) -> str:
    return f"{postgresql}&schema=t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def index(address: str) -> Iterator[PassageIndex]:
    with closing(PassageIndex(address, SIGNATURE, create=True)) as opened:
        yield opened


def rows(count: int, dimension: int = 8) -> list[Row]:
    random = np.random.default_rng(7)
    return [
        Row(
            f"k{number}",
            {"language": "ja" if number % 3 else "en", "page": number % 5},
            random.normal(size=dimension).astype(np.float32),
            list(random.choice(WORDS, size=random.integers(1, 9))),
        )
        for number in range(count)
    ]


def collection(address: str, dimension: int = 8, exact_rows: int = 10_000) -> PostgresCollection:
    made = PostgresCollection(
        PostgresDatabase(address, create=True),
        "rows",
        dimension=dimension,
        fields=("language", "page"),
        exact_rows=exact_rows,
    )
    made.ensure()
    return made


def test_every_leg_gives_what_the_folder_gives(address: str, tmp_path: Path) -> None:
    from retrieval.database import Database

    there = collection(address)
    here = Database(tmp_path, create=True).collection("rows", dimension=8, fields=("language", "page"))
    here.ensure()
    made = rows(60)
    for store in (here, there):
        store.upsert(made)
        store.delete(["k3", "k40"])
        store.upsert([replace(made[5], tokens=["valve", "valve"])])
    assert [row.key for row in here.select()] == [row.key for row in there.select()]
    terms = [Term("valve"), Term("nowhere", "pump"), Term("弁"), Term("it's")]
    wheres: list[Filter | None] = [None, Where("language", "==", "ja"), All((Where("page", ">", 1),))]
    for where in wheres:
        found = [
            {store.rows([row])[row].key: score for row, score in store.keyword(terms, top=20, where=where)}
            for store in (here, there)
        ]
        assert list(found[0]) == list(found[1])
        assert list(found[0].values()) == pytest.approx(list(found[1].values()), rel=1e-5)
        asked = np.eye(8, dtype=np.float32)[0]
        near = [
            [
                (store.rows([row])[row].key, round(score, 5))
                for row, score in store.dense(asked, top=20, where=where)
            ]
            for store in (here, there)
        ]
        assert near[0] == near[1]
    assert here.document_frequencies(WORDS) == there.document_frequencies(WORDS)
    ids = there.sample(None, 100)
    assert there.keyword_scores(terms, ids)[1] == pytest.approx(
        here.keyword_scores(terms, here.sample(None, 9))[1]
    )
    there.database.close()


def test_above_its_size_a_graph_is_built_and_searched_and_filters_get_as_many_as_there_are(
    address: str,
) -> None:
    store = collection(address, dimension=16, exact_rows=100)
    store.upsert(rows(900, dimension=16))
    store.save_index()
    asked = np.eye(16, dtype=np.float32)[3]
    where = Where("language", "==", "en")
    with store.database.read() as connection:
        found = [store.dense(asked, top=20), store.dense(asked, top=50, where=where)]
        assert connection.execute("SHOW hnsw.iterative_scan").fetchone() == ("strict_order",)
    store._exact_rows = 10_000
    exact = [store.dense(asked, top=20), store.dense(asked, top=50, where=where)]
    for near, best in zip(found, exact, strict=True):
        assert len(near) == len(best)
        assert len(set(near) & set(best)) >= 0.9 * len(best)
    rare = Where("page", "==", 4)
    store._exact_rows = 100
    assert len(store.dense(asked, top=1000, where=rare)) == store.count(rare)
    store.database.close()


def test_each_language_has_a_graph_of_its_own_that_its_searches_walk(address: str) -> None:
    store = PostgresCollection(
        PostgresDatabase(address, create=True),
        "rows",
        dimension=16,
        fields=("language", "page"),
        indexed=("language",),
        exact_rows=100,
    )
    store.ensure()
    made = [replace(row, vector=row.vector + 9 * (row.data["language"] == "ja")) for row in rows(900, 16)]
    store.upsert([*made, Row("it's", {"language": "l'a"}, np.ones(16, np.float32))])
    store.save_index()
    store.save_index()  # nothing more to do
    names_of = (
        "SELECT relname FROM pg_class WHERE relname LIKE 'graph%' AND relnamespace = CAST(? AS regnamespace)"
    )
    schema = store.database.address.schema
    assert len(store.database.connection.execute(names_of, (schema,)).fetchall()) == 2
    asked = np.full(16, -0.25, np.float32)
    for language, kept in (("ja", 600), ("en", 300), ("l'a", 1)):
        where = Where("language", "==", language)
        found = store.dense(asked, top=20, where=where)
        store._exact_rows = 10_000
        exact = store.dense(asked, top=20, where=where)
        store._exact_rows = 100
        assert len(found) == min(20, kept)
        assert len({row for row, _ in found} & {row for row, _ in exact}) >= 0.9 * len(exact)
    store.delete([row.key for row in made if row.data["language"] == "ja"])
    store.save_index()
    assert len(store.database.connection.execute(names_of, (schema,)).fetchall()) == 1
    store.database.close()


def test_the_graph_stays_right_after_rows_are_changed(address: str) -> None:
    store = collection(address, exact_rows=10)
    store.upsert(rows(50))
    store.save_index()
    store.delete([f"k{number}" for number in range(0, 50, 2)])
    store.upsert([Row("new", {"language": "en"}, np.eye(8, dtype=np.float32)[7], ["valve"])])
    best = store.dense(np.eye(8, dtype=np.float32)[7], top=1)
    assert store.rows([best[0][0]])[best[0][0]].key == "new"
    assert best[0][1] == pytest.approx(1.0)
    store.database.close()


def test_an_error_in_the_middle_leaves_the_index_as_it_was(index: PassageIndex) -> None:
    put(index, "a", "the valve", 0)
    with pytest.raises(RuntimeError), index.store.changing():
        index.remove("/a")
        put(index, "b", "the pump", 1)
        raise RuntimeError
    assert names(index, "valve", 0) == ["a"]
    assert [row.document for row in index.documents()] == ["a"]


def test_a_second_writer_is_told_who_holds_the_lock_and_gets_it_when_that_one_is_killed(
    index: PassageIndex, address: str
) -> None:
    program = (
        "import sys, time\nfrom retrieval.stores.postgres_database import PostgresDatabase\n"
        "database = PostgresDatabase(sys.argv[1], create=False)\n"
        "with database.writer():\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, address], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    impatient = PostgresDatabase(address, create=False, lock_wait=0.2)
    with pytest.raises(IndexBusyError, match=rf"process {holder.pid} on .* is writing"), impatient.writer():
        pass
    assert names(index, "valve", 0) == []  # readers go on
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    put(index, "a", "the valve", 0)
    assert names(index, "valve", 0) == ["a"]
    impatient.close()


def test_a_lost_connection_is_told_and_the_next_question_is_answered(
    index: PassageIndex, address: str
) -> None:
    put(index, "a", "the valve", 0)
    other = PostgresDatabase(address, create=False)
    other.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tekio %' AND"
        " pid <> pg_backend_pid()"
    )
    other.close()
    with pytest.raises(TekioError, match=r"lost|terminat"):
        names(index, "valve", 0)
    assert names(index, "valve", 0) == ["a"]


def test_threads_search_while_another_writes_and_see_whole_documents(index: PassageIndex) -> None:
    put(index, "a", "the valve 0", 0)
    seen: list[list[str]] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            seen.append(names(index, "valve", 0))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 15):
        put(index, "a", f"the valve {number}", 0)
    stop.set()
    for thread in threads:
        thread.join()
    assert seen
    assert all(found == ["a"] for found in seen)


def test_what_its_texts_cannot_hold_is_replaced_and_spans_stay_right(index: PassageIndex) -> None:
    text = "the\x00valve \ud800 is 'open'; DROP TABLE documents"
    index.replace(document("a", text), [Chunk(text, 0, len(text))], AXES[:1])
    (found,) = index.search("valve'; DROP TABLE", AXES[0], top_k=5)
    assert found.text == "the\ufffdvalve \ufffd is 'open'; DROP TABLE documents"
    assert index.quote(found.id, 4, 9) == "valve"
    assert names(index, "\x00", 0, where=Where("title", "==", "\x00")) == []


def test_an_address_without_an_index_says_what_to_run(address: str) -> None:
    with pytest.raises(IndexMissingError, match="run `ingest PATH` first"):
        PassageIndex(address, SIGNATURE)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://u:secret@127.0.0.1:1/db", "cannot open postgresql://u@127.0.0.1:1/db"),
        ("postgresql://u:secret@127.0.0.1:1/db?schema=A-b", "cannot be a schema"),
        ("postgresql://u:secret@h/db?sslmode=maybe", "sslmode is one of"),
        ("postgresql://u:secret@h/db?nothing=1", "'nothing', which is not known"),
        ("postgresql://u:secret@h:port/db", "write postgresql://"),
        ("mysql://u:secret@h/db", "is no store of an index"),
    ],
)
def test_a_wrong_address_is_told_in_one_line_without_the_password(address: str, said: str) -> None:
    with pytest.raises(TekioError, match=said) as caught:
        PassageIndex(address, SIGNATURE)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_password_is_shown_nowhere() -> None:
    address = "postgresql://u:se%40cret@h/db?schema=a"
    assert "se" not in PostgresAddress.parse(address).shown.split("//")[1].split("@")[0]
    assert shown(address) == "postgresql://u:***@h/db?schema=a"
    assert shown(Path("a:b@c")) == "a:b@c"
    assert PostgresAddress.parse(str(beside(address, "memory"))).schema == "a_memory"
    assert PostgresAddress.parse(address).password == "se@cret"


def test_without_its_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pg8000.native", None)
    with pytest.raises(UsageError, match=r"tekio\[postgresql\]"):
        PostgresDatabase("postgresql://h/db", create=False)
