"""What holds for every place that an index can be kept in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.access import access, caller
from retrieval.embedding import Embedded, EmbedderSignature
from retrieval.errors import IndexMissingError, IndexSignatureError, UsageError
from retrieval.filter_text import among, parse_filter
from retrieval.filters import Filter, Matches, Not, Tagged, Where
from retrieval.keyword_index import K1, B, inverse_frequency
from retrieval.keyword_tokens import Term
from retrieval.late_vectors import TokenCodec
from retrieval.passages import PassageIndex
from retrieval.records import Chunk
from retrieval.reembedding import reembed
from retrieval.stores.interface import Collection, Row
from retrieval.stores.opening import Place, is_in, open_database
from tests.retrieval.test_filters import _FILTERS, _RECORDS
from tests.retrieval.test_passages import AXES, SIGNATURE, document, names, put

FIELDS = ("title", "language", "page", "modified", "document", "tags")
EYE = np.eye(8, dtype=np.float32)


@pytest.fixture
def collection(place: Place) -> Iterator[Collection]:
    with closing(open_database(place, create=True)) as database:
        made = database.collection("things", dimension=8, fields=FIELDS, indexed=("language",))
        made.ensure()
        yield made


@pytest.fixture
def index(place: Place) -> Iterator[PassageIndex]:
    with closing(PassageIndex(place, SIGNATURE, create=True)) as opened:
        yield opened


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    conditions=st.lists(_FILTERS, min_size=4, max_size=4), records=st.lists(_RECORDS, min_size=3, max_size=3)
)
def test_a_filter_means_in_the_store_what_it_means_in_python(
    collection: Collection, conditions: list[Filter], records: list[dict[str, Any]]
) -> None:
    rows = [Row(number, record, EYE[number]) for number, record in enumerate(records)]
    collection.upsert(rows)
    for condition in conditions:
        wanted = [number for number, record in enumerate(records) if condition({"key": number} | record)]
        assert [hit.key for hit in collection.select(condition)] == wanted
        assert collection.count(condition) == len(wanted)


def test_words_are_scored_by_the_plain_formula_after_any_change(collection: Collection) -> None:
    texts = {
        f"k{n}": ["valve"] * (n % 4) + ["pump"] * (n % 3) + ["弁"] * (n % 2) + ["x"] * n for n in range(30)
    }
    for key, tokens in texts.items():
        collection.upsert([Row(key, {"language": "en"}, EYE[len(key)], tokens)])
    collection.delete(["k7", "k11"])
    del texts["k7"], texts["k11"]
    texts["k9"] = ["valve", "valve", "pump"]
    collection.upsert([Row("k9", {"language": "en"}, EYE[0], texts["k9"])])
    mean = sum(map(len, texts.values())) / len(texts)

    def score(tokens: list[str]) -> float:
        total = 0.0
        for term in ("valve", "弁"):
            frequency = sum(term in held for held in texts.values())
            count = tokens.count(term)
            norm = K1 * (1 - B + B * len(tokens) / mean)
            total += (K1 + 1) * inverse_frequency(len(texts), frequency) * count / (count + norm)
        return total

    found = collection.keyword([Term("valve"), Term("nowhere", "弁")], top=50)
    scores = {str(collection.rows([row])[row].key): value for row, value in found}
    assert scores == pytest.approx({key: score(held) for key, held in texts.items() if score(held)}, rel=1e-5)
    assert [value for _, value in found] == sorted(scores.values(), reverse=True)


def test_what_was_embedded_is_known_again_with_its_token_vectors(collection: Collection) -> None:
    collection.upsert([Row("a", {}, EYE[1], ["w"], None, b"\x01\xff", b"\x00late\xff"), Row("b", {}, EYE[2])])
    known = collection.known([b"\x01\xff", b"other"])
    assert list(known) == [b"\x01\xff"]
    vector, late = known[b"\x01\xff"]
    assert vector.tolist() == EYE[1].tolist()
    assert late == b"\x00late\xff"
    ids = collection.sample(None, 10)
    assert list(collection.late(ids).values()) == [b"\x00late\xff"]


def test_rows_come_back_as_they_were_stored(index: PassageIndex) -> None:
    text = "the valve of the pump"
    index.replace(
        document(
            "a", text, tags={"ward": ("icu", "or"), 'a."b': ("ü",)}, page_starts=(0, 4), modified="2024-05-01"
        ),
        [Chunk(text, 0, len(text), page=1, headings=("H", "弁"))],
        AXES[:1],
        [text],
        [b"\x01\x02"],
    )
    (row,) = index.store.whole(index.documents()[0].id)
    assert row.data["tags"] == {"ward": ["icu", "or"], 'a."b': ["ü"]}
    assert row.data["headings"] == ["H", "弁"]
    assert (row.late, row.vector.tolist()) == (b"\x01\x02", AXES[0].tolist())
    assert sorted(row.tokens).count("valv") == 1
    held, when = index.database.documents().whole(row.document_id or 0)
    assert held == document("a", text, tags=held.tags, page_starts=(0, 4), modified="2024-05-01")
    assert held.tags == {"ward": ("icu", "or"), 'a."b': ("ü",)}
    assert when.startswith("20")
    for where, wanted in (
        (Tagged("tags", 'a."b', "ü"), ["a"]),
        (Where("modified", ">=", "2024-01-01"), ["a"]),
        (Where("modified", ">=", "2025"), []),
        (Not(Matches("document", "a*")), []),
    ):
        assert names(index, "valve", 0, where=where) == wanted


def test_a_moved_and_a_tagged_document_are_found_by_what_they_are_now(index: PassageIndex) -> None:
    put(index, "a", "the valve", 0)
    (row,) = index.documents()
    index.move(row.id, path="/new/turbine.txt", name="turbine.txt", title="turbine")
    index.tag(row.id, {"ward": ("icu",)})
    assert [state.name for state in index.states().values()] == ["turbine.txt"]
    (found,) = index.search("turbine", AXES[3], top_k=5, mode="keyword", where=Tagged("tags", "ward", "icu"))
    assert (found.document, found.title, found.text) == ("turbine.txt", "turbine", "the valve")


def test_one_of_several_values_finds_the_documents_of_each(index: PassageIndex) -> None:
    for place, (name, tags) in enumerate(
        {"a": ("icu",), "b": ("or", "手順"), "c": ("lab",), "d": ()}.items()
    ):
        held = document(name, "the valve", language="ja" if name == "d" else "en", tags={"ward": tags})
        index.replace(held, [Chunk("the valve", 0, 9)], AXES[place : place + 1], ["the valve"])
    for text, wanted in (
        (among("tag.ward", ["icu", "手順"]), ["a", "b"]),
        (among("tag.ward", ["none"]), []),
        (among("tag.ward", [None]), ["d"]),
        (among("tag.ward", ["lab", None]), ["c", "d"]),
        (among("tag.'\"", [None]), ["a", "b", "c", "d"]),
        (among("language", ["ja", "fr"]), ["d"]),
        (among("document", ["a", "c"]), ["a", "c"]),
    ):
        assert sorted(names(index, "valve", 0, where=parse_filter(text))) == wanted


def test_an_error_in_the_middle_leaves_everything_as_it_was(index: PassageIndex) -> None:
    put(index, "a", "the valve", 0, access=access("mori", []))
    generation = index.store.generation
    with pytest.raises(RuntimeError), index.store.changing():
        index.remove("/a")
        put(index, "b", "the pump", 1)
        raise RuntimeError
    assert index.store.generation == generation
    assert names(index, "valve", 0) == ["a"]
    assert [row.document for row in index.documents()] == ["a"]
    put(index, "b", "the pump", 1)
    assert names(index, "pump", 1) == ["b", "a"]


def test_an_index_is_embedded_anew_where_the_place_can_do_it_at_once(
    index: PassageIndex, place: Place
) -> None:
    put(index, "a", "the valve", 0)
    put(index, "b", "the pump", 1)
    new = replace(SIGNATURE, model="new")

    def embed(texts: Sequence[str]) -> Embedded:
        return Embedded(
            np.stack([AXES[2 if "valve" in text else 3] for text in texts]), [b"late"] * len(texts)
        )

    def anew(signature: EmbedderSignature) -> int:
        codec = TokenCodec(np.zeros(4, np.float32))
        return reembed(
            index, signature, texts_of=lambda rows: [row["text"] for row in rows], embed=embed, codec=codec
        )

    if str(place).startswith("qdrant"):
        with pytest.raises(UsageError, match="no transactions: ingest into another name"):
            anew(new)
        assert names(index, "valve", 0) == ["a", "b"]
        return
    if str(place).startswith("postgresql"):
        with pytest.raises(UsageError, match="the new embedder gives 5"):
            anew(replace(new, dimension=5))
    assert anew(new) == 2
    with pytest.raises(IndexSignatureError, match="back to 'new'"):
        names(index, "valve", 0)
    with closing(PassageIndex(place, new)) as again:
        assert [hit.document for hit in again.search("nothing", AXES[3], top_k=1, mode="dense")] == ["b"]
        assert list(again.store.late(again.store.sample(None, 9)).values()) == [b"late", b"late"]
        assert again.codec() is not None


def test_a_collection_of_another_dimension_is_refused(place: Place, collection: Collection) -> None:
    other = collection.database.collection("things", dimension=9, fields=FIELDS)
    with pytest.raises(Exception, match="holds vectors of 8 dimensions"):
        other.ensure()
    for name in ("a b", "1", "x;DROP TABLE"):
        with pytest.raises(UsageError, match="cannot be a name"):
            collection.database.collection(name, dimension=8, fields=())


def test_there_is_an_index_where_one_was_made(place: Place, tmp_path: Path) -> None:
    assert not is_in(place)
    with pytest.raises(IndexMissingError, match="run `ingest PATH` first"):
        PassageIndex(place, SIGNATURE)
    PassageIndex(place, SIGNATURE, create=True).close()
    assert is_in(place)
    assert PassageIndex.engine_of(place) == "test"


def test_what_documents_hold_is_told_by_name_and_only_of_those_that_a_caller_may_read(
    index: PassageIndex,
) -> None:
    put(index, "a.md", "one", 0)
    put(index, "b.md", "two", 1, access=access("mori", []))
    wanted = ["a.md", "b.md", "nonesuch", "a.md"]
    assert index.contents(wanted) == {"a.md": {"one"}, "b.md": {"two"}}
    assert index.contents(wanted, caller=caller("mori")) == {"a.md": {"one"}, "b.md": {"two"}}
    assert index.contents(wanted, caller=caller("sato")) == {"a.md": {"one"}}
    assert index.contents([]) == {}
    put(index, "a.md", "three", 2)
    assert index.contents(["a.md"]) == {"a.md": {"three"}}
