"""What is Qdrant's own: no transactions and no locks, and what is made up for that."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from retrieval.access import Bound, Caller
from retrieval.errors import IndexBusyError, TekioError, UsageError
from retrieval.passages import PassageIndex
from retrieval.stores.qdrant_connection import QdrantAddress
from retrieval.stores.qdrant_database import QdrantDatabase
from tests.retrieval.test_passages import AXES, SIGNATURE, names, put

pytest.importorskip("qdrant_client")


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"qdrant+file://{tmp_path}/here"


@pytest.fixture
def index(address: str) -> Iterator[PassageIndex]:
    with closing(PassageIndex(address, SIGNATURE, create=True)) as opened:
        yield opened


class Killed(BaseException):
    pass


@pytest.mark.parametrize("calls", range(1, 8))
def test_what_a_killed_writer_left_is_taken_away_by_the_next(
    index: PassageIndex, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at each of the calls that change something, while a document is replaced."""
    database = index.database
    assert isinstance(database, QdrantDatabase)
    put(index, "a", "the old valve", 0)
    put(index, "b", "the pump", 1)
    left = calls
    sent = database.connection.call

    def call(method: str, *arguments: object, **named: object) -> object:
        nonlocal left
        if method in ("upsert", "delete", "set_payload"):
            left -= 1
            if left < 0:
                raise Killed
        return sent(method, *arguments, **named)

    monkeypatch.setattr(database.connection, "call", call)
    with suppress(Killed):
        put(index, "a", "the new valve", 0)
    monkeypatch.undo()
    with closing(QdrantDatabase(str(database.place), create=False, lock_wait=0.1)) as other:
        other._put("writer", "")  # as if the killed one's note had grown old
    put(index, "c", "the seal", 2)
    texts = {passage.text for passage in index.search("valve", AXES[0], top_k=10)}
    assert texts - {"the pump", "the seal"} in ({"the old valve"}, {"the new valve"})
    assert [row.document for row in index.documents()] == ["a", "b", "c"]
    assert index.store.count() == 3


def test_a_second_writer_is_turned_away_and_comes_in_when_the_first_is_done(
    index: PassageIndex, address: str
) -> None:
    with closing(QdrantDatabase(address, create=False, lock_wait=0.2)) as other:
        with (
            index.writing(),
            pytest.raises(IndexBusyError, match=r"process \d+ on .* is writing"),
            other.writer(),
        ):
            pass
        with other.writer():
            pass
    put(index, "a", "the valve", 0)
    assert names(index, "valve", 0) == ["a"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("qdrant://127.0.0.1:1/x", "does not answer as it should"),
        ("qdrant://127.0.0.1", "write qdrant://host:6333/name"),
        ("qdrant://127.0.0.1/a b", "write qdrant://host:6333/name"),
        ("qdrant://u:secret@127.0.0.1/x", "QDRANT_API_KEY"),
        ("qdrant://h:port/x", "write qdrant://host:6333/name"),
    ],
)
def test_a_wrong_address_is_told_in_one_line(address: str, said: str) -> None:
    with pytest.raises(TekioError, match=said) as caught:
        PassageIndex(address, SIGNATURE)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_addresses_are_read_as_they_are_shown() -> None:
    for address in ("qdrant://h:6334/x", "qdrant+https://h:6333/x", "qdrant+file:///a/b/x"):
        assert QdrantAddress.parse(address).shown == address


def test_without_its_package_it_is_said_what_to_install(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    with pytest.raises(UsageError, match=r"tekio\[qdrant\]"):
        QdrantDatabase(address, create=False)


def test_an_index_of_layout_1_is_brought_to_what_keys_for_a_collection_are_filtered_by(address: str) -> None:
    who = Caller(bound=Bound("k", (("collection", ("a",)),), owns=True))
    with closing(PassageIndex(address, SIGNATURE, create=True)) as index:
        put(index, "a", "the valve", 0, given_tags={"collection": ("a",)})
        put(index, "b", "the pump", 1, given_tags={"collection": ("b",)})
        database = index.database
        assert isinstance(database, QdrantDatabase)
        name = f"{database.address.name}.documents"
        ids = [row.id for row in index.documents()]
        database.connection.call("delete_payload", name, ["tagged"], points=ids)
        database._put("schema", "1")
        assert index.documents(caller=who) == []
    with closing(PassageIndex(address, SIGNATURE)) as index:
        assert [row.document for row in index.documents(caller=who)] == ["a"]
        assert names(index, "valve", 0, caller=who) == ["a"]
        assert index.database.get_meta("schema") == "2"
