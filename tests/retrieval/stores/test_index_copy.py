from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.access import access
from retrieval.errors import IndexDamagedError, IndexMissingError, UsageError
from retrieval.filters import Tagged
from retrieval.index_copy import Copied, copy_index
from retrieval.late_vectors import TokenCodec
from retrieval.passages import PassageIndex
from retrieval.records import Chunk
from retrieval.stores.opening import Place
from tests.retrieval.test_access import MORI, NOBODY
from tests.retrieval.test_passages import AXES, SIGNATURE, document, put

TOKENS = np.eye(4, dtype=np.float32)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    with closing(PassageIndex(folder, SIGNATURE, create=True)) as index:
        codec = index.keep_tokens(TokenCodec(np.zeros(4, np.float32)))
        put(index, "gone", "the gasket", 3)
        index.remove("/gone")
        for number, text in enumerate(("the valve is open", "弁は閉じている", "a pump, a pump")):
            name = f"d{number}"
            made = document(name, text, language="ja" if number == 1 else "en", tags={"ward": (name,)})
            late = [codec.pack(TOKENS[: number + 1])]
            index.replace(made, [Chunk(text, 0, len(text))], AXES[number : number + 1], [text], late)
        ids = {row.document: row.id for row in index.documents()}
        index.share(ids["d0"], access("mori", []))
    return folder


def seen(index: PassageIndex) -> list[Any]:
    found: list[Any] = []
    for query, axis in (("valve", 0), ("弁", 1), ("pump", 2)):
        for passage in index.search(query, AXES[axis], top_k=5, tokens=TOKENS[:2]):
            legs = {name: (round(leg.score, 5), leg.rank, leg.weight) for name, leg in passage.legs.items()}
            found.append((query, passage.document, round(passage.score, 5), passage.text, legs))
    states = {
        name: (state.name, state.access, state.chunks, state.recipe) for name, state in index.states().items()
    }
    summaries = [(row.document, row.ingested_at, row.tags, row.language) for row in index.documents()]
    return [found, states, summaries]


def test_a_copy_searches_as_the_index_that_it_was_made_from(source: Path, place: Place) -> None:
    told: list[tuple[int, int]] = []
    copied = copy_index(source, place, on_progress=lambda done, total: told.append((done, total)))
    assert copied == Copied(3, 3)
    assert told == [(1, 3), (2, 3), (3, 3)]
    with closing(PassageIndex(source, SIGNATURE)) as here, closing(PassageIndex(place, SIGNATURE)) as there:
        assert seen(there) == seen(here)
        assert {hit.document for hit in there.search("valve", AXES[0], top_k=9, caller=NOBODY)} == {
            "d1",
            "d2",
        }
        assert "d0" in [hit.document for hit in there.search("valve", AXES[0], top_k=9, caller=MORI)]
        where = Tagged("tags", "ward", "d2")
        assert [hit.document for hit in there.search("valve", AXES[0], top_k=9, where=where)] == ["d2"]
        known = there.known_vectors(["弁は閉じている", "never seen"])
        assert list(known) == ["弁は閉じている"]
        assert known["弁は閉じている"][1] is not None
        (first, *_) = there.search("valve", AXES[0], top_k=1)
        assert there.quote(first.id, 4, 9) == "valve"
        put(there, "d0", "a new valve", 0)  # and goes on as its own
        assert [hit.text for hit in there.search("valve", AXES[0], top_k=1)] == ["a new valve"]
        assert [hit.text for hit in here.search("valve", AXES[0], top_k=1)] == ["the valve is open"]


def test_a_copy_back_is_the_same_again(source: Path, place: Place, tmp_path: Path) -> None:
    copy_index(source, place)
    copy_index(place, tmp_path / "back")
    with (
        closing(PassageIndex(source, SIGNATURE)) as here,
        closing(PassageIndex(tmp_path / "back", SIGNATURE)) as back,
    ):
        assert seen(back) == seen(here)


def test_a_copy_that_was_killed_cannot_be_opened_and_is_begun_anew(source: Path, place: Place) -> None:
    class Killed(BaseException):
        pass

    def kill(done: int, total: int) -> None:
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        copy_index(source, place, on_progress=kill)
    with pytest.raises(IndexDamagedError, match="did not end: run `tekio index copy` again"):
        PassageIndex(place, SIGNATURE)
    assert copy_index(source, place) == Copied(3, 3)
    with closing(PassageIndex(source, SIGNATURE)) as here, closing(PassageIndex(place, SIGNATURE)) as there:
        assert seen(there) == seen(here)


def test_what_holds_documents_is_not_copied_over(source: Path, place: Place) -> None:
    with closing(PassageIndex(place, SIGNATURE, create=True)) as index:
        put(index, "mine", "my own", 0)
    with pytest.raises(UsageError, match="holds 1 documents already"):
        copy_index(source, place)
    with closing(PassageIndex(place, SIGNATURE)) as index:
        assert [row.document for row in index.documents()] == ["mine"]


def test_an_index_is_not_copied_to_itself_and_what_is_missing_is_told(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be copied to itself"):
        copy_index(source, tmp_path / "other" / ".." / "source")
    with pytest.raises(IndexMissingError):
        copy_index(tmp_path / "none", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_an_empty_index_is_copied_as_one(tmp_path: Path, place: Place) -> None:
    PassageIndex(tmp_path / "empty", SIGNATURE, create=True).close()
    assert copy_index(tmp_path / "empty", place) == Copied(0, 0)
    with closing(PassageIndex(place, SIGNATURE)) as index:
        assert index.search("valve", AXES[0], top_k=3) == []
