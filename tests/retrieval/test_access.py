"""Who finds a document: its owner, its readers, and nobody else, by whatever way a search is asked for."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.access import PUBLIC, Access, Bound, Caller, access, caller, reads, tags_within
from retrieval.errors import DeniedError, UsageError
from retrieval.filter_text import parse_filters
from retrieval.filters import AnyOf, Not, Where
from retrieval.passages import PassageIndex
from retrieval.ranking import MODES
from retrieval.stores.opening import Place
from tests.retrieval.test_passages import AXES, SIGNATURE, names, put

MORI = caller("mori", ["icu"])
SATO = caller("sato")
NOBODY = Caller()

NAME = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8)


@pytest.fixture
def index(place: Place) -> Iterator[PassageIndex]:
    opened = PassageIndex(place, SIGNATURE, create=True)
    put(opened, "public", "the valve is open", 0)
    put(opened, "of-mori", "the valve is shut", 0, access=access("mori", []))
    put(opened, "of-icu", "the valve of the ward", 0, access=access("", ["group:icu"]))
    put(opened, "shared", "the valve is lent", 0, access=access("mori", ["user:sato"]))
    yield opened
    opened.close()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("who", "found"),
    [
        (MORI, {"public", "of-mori", "of-icu", "shared"}),
        (SATO, {"public", "shared"}),
        (NOBODY, {"public"}),
        (caller("icu"), {"public"}),  # a user of a group's name is not the group
        (caller("sato", ["mori"]), {"public", "shared"}),  # nor the other way round
        (None, {"public", "of-mori", "of-icu", "shared"}),
    ],
)
def test_a_search_finds_what_its_caller_may_read(
    index: PassageIndex, mode: str, who: Caller | None, found: set[str]
) -> None:
    assert set(names(index, "valve", 0, mode=mode, caller=who)) == found


@pytest.mark.parametrize(
    "filters",
    [
        ["document=of-mori"],
        ["document!=nothing"],
        ["document=*"],
        ["language=en"],
        ["readers=user:mori"],
        ["owner=mori"],
    ],
)
def test_no_filter_widens_what_a_caller_finds(index: PassageIndex, filters: list[str]) -> None:
    try:
        where = parse_filters(filters)
    except UsageError:
        return  # it is no filter, so it does nothing
    assert set(names(index, "valve", 0, caller=NOBODY, where=where)) <= {"public"}


def test_a_filter_that_is_always_true_or_a_negation_does_not_widen_it(index: PassageIndex) -> None:
    for where in (AnyOf((Where("language", "==", "en"), Not(Where("language", "==", "en")))), Not(AnyOf(()))):
        assert names(index, "valve", 0, caller=NOBODY, where=where) == ["public"]


@pytest.mark.parametrize("who", [MORI, SATO, NOBODY, None])
def test_the_list_of_documents_and_the_quotes_obey_as_the_search_does(
    index: PassageIndex, who: Caller | None
) -> None:
    listed = {row.document for row in index.documents(caller=who)}
    assert listed == set(names(index, "valve", 0, caller=who))
    for passage in index.search("valve", AXES[0], top_k=10):
        quote = index.quote(passage.id, 0, 9, caller=who)
        assert quote == ("the valve" if passage.document in listed else None)


def test_what_is_shared_anew_is_found_at_once_and_what_is_taken_back_is_gone_at_once(
    index: PassageIndex,
) -> None:
    ids = {row.document: row.id for row in index.documents()}
    assert "of-mori" not in names(index, "valve", 0, caller=SATO)
    index.share(ids["of-mori"], access("mori", ["user:sato"]))
    assert "of-mori" in names(index, "valve", 0, caller=SATO)
    index.share(ids["of-mori"], access("mori", []))
    index.share(ids["public"], access("mori", []))
    assert names(index, "valve", 0, caller=SATO) == ["shared"]
    assert names(index, "valve", 0, caller=NOBODY) == []


def test_another_process_that_has_the_index_open_obeys_what_was_shared_since(
    index: PassageIndex, place: Place
) -> None:
    other = PassageIndex(place, SIGNATURE)
    assert "public" in names(other, "valve", 0, caller=NOBODY)
    ids = {row.document: row.id for row in index.documents()}
    index.share(ids["public"], access("mori", []))
    assert names(other, "valve", 0, caller=NOBODY) == []
    other.close()


def test_a_document_that_is_removed_leaves_no_reader(index: PassageIndex) -> None:
    mine = {row.document: row for row in index.documents()}["of-mori"]
    index.remove(mine.path)
    put(index, "of-mori", "the valve is new", 0)
    assert "of-mori" in names(index, "valve", 0, caller=NOBODY)
    index.remove(mine.path)
    assert not index.database.documents().readable(mine.id, MORI)


@given(NAME, st.lists(NAME, max_size=3), st.lists(NAME, max_size=3), NAME, st.lists(NAME, max_size=3))
def test_owner_readers_and_members_are_all_who_may_read(
    owner: str, users: list[str], groups: list[str], asks: str, member_of: list[str]
) -> None:
    given_access = access(owner, [*(f"user:{name}" for name in users), *(f"group:{name}" for name in groups)])
    who = caller(asks, member_of)
    may = set(who.principals()) & set(given_access.principals())
    normal = [caller(name).user for name in (owner, *users)]
    expected = who.user in normal or set(who.groups) & set(caller("x", groups).groups)
    assert bool(may) == bool(expected)


def test_names_that_look_the_same_are_the_same() -> None:
    assert caller("が").principals() == caller("か\u3099").principals()
    assert access("", ["user: 森 "]).readers == ("user:森",)


def test_without_owner_and_readers_everyone_may_read() -> None:
    assert access("", []).is_same(PUBLIC)
    assert not access("mori", []).is_same(PUBLIC)
    assert access("mori", ["group:b", "user:a"]).is_same(Access("mori", ("user:a", "group:b", "user:mori")))


@pytest.mark.parametrize(
    "reader", ["", "mori", "user:", "group:  ", "role:x", "user:a\x00b", "user:" + "x" * 201]
)
def test_what_is_no_reader_is_told(reader: str) -> None:
    with pytest.raises(UsageError):
        access("", [reader])


@pytest.mark.parametrize(
    ("user", "groups"), [("a\nb", []), (None, ["icu"]), ("", ["icu"]), ("a", ["\u202e"])]
)
def test_what_is_no_caller_is_told(user: str | None, groups: list[str]) -> None:
    with pytest.raises(UsageError):
        caller(user, groups)


# -- bound to a part of the documents -------------------------------------------------------------------------


def bound_to(who: Caller | None = None, /, **tags: tuple[str, ...]) -> Caller:
    """What a key is whose requests are those of `who`."""
    return replace(who or Caller(), bound=Bound("k1", tuple(tags.items()), owns=who is None))


@pytest.fixture
def parted(place: Place) -> Iterator[PassageIndex]:
    opened = PassageIndex(place, SIGNATURE, create=True)
    given = {"a": "a", "b": "b", "mine": "a"}
    for name, collection in given.items():
        tags = {"collection": (collection,), "ward": ("icu" if name == "mine" else "or",)}
        mine = access("mori", []) if name == "mine" else PUBLIC
        put(opened, name, f"the valve of {name}", 0, given_tags=tags, access=mine)
    put(opened, "says-a", "the valve of front matter", 0, tags={"collection": ("a",)})
    put(opened, "none", "the valve of nobody", 0)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("who", "found"),
    [
        (bound_to(collection=("a",)), {"a", "mine", "says-a"}),
        (bound_to(collection=("a", "b")), {"a", "b", "mine", "says-a"}),
        (bound_to(collection=("a",), ward=("icu",)), {"mine"}),
        (bound_to(ward=("or",)), {"a", "b"}),
        (bound_to(SATO, collection=("a",)), {"a", "says-a"}),
        (bound_to(MORI, collection=("a",)), {"a", "mine", "says-a"}),
        (bound_to(NOBODY, collection=("b",)), {"b"}),
        (bound_to(collection=("A",)), set()),
        (bound_to(**{"collection') OR 1=1 --": ("a",)}), set()),
    ],
)
def test_who_is_bound_to_tags_finds_nothing_beyond_them_by_any_way(
    parted: PassageIndex, who: Caller, found: set[str]
) -> None:
    for mode in MODES:
        assert set(names(parted, "valve", 0, mode=mode, caller=who)) == found
        wider = parse_filters(['tag.collection in ["a", "b"]'])
        assert set(names(parted, "valve", 0, mode=mode, caller=who, where=wider)) <= found
    every = parted.documents()
    assert {row.document for row in parted.documents(caller=who)} == found
    assert {row.document for row in every if parted.readable(row.id, who)} == found
    assert set(parted.contents([row.document for row in every], caller=who)) == found
    for passage in parted.search("valve", AXES[0], top_k=10):
        assert (parted.quote(passage.id, 0, 9, caller=who) is not None) == (passage.document in found)


def test_a_document_that_changes_its_collection_is_found_in_the_new_one_at_once(parted: PassageIndex) -> None:
    there, here = bound_to(collection=("a",)), bound_to(collection=("b",))
    row = next(row for row in parted.documents() if row.document == "a")
    parted.tag(row.id, {"collection": ("b",)})
    for who, found in ((there, False), (here, True)):
        assert ("a" in names(parted, "valve", 0, caller=who)) == found
        assert ("a" in {each.document for each in parted.documents(caller=who)}) == found
        assert parted.readable(row.id, who) == found


def test_callers_count_as_the_same_only_where_they_find_the_same() -> None:
    one = bound_to(collection=("a",))
    others = [None, NOBODY, MORI, bound_to(MORI, collection=("a",)), bound_to(NOBODY, collection=("a",))]
    others += [bound_to(collection=("b",)), bound_to(collection=("a", "b")), bound_to(ward=("a",))]
    assert len({reads(who) for who in [one, *others]}) == len(others) + 1
    assert reads(one) == reads(replace(one, bound=Bound("k2", one.bound.tags, owns=True)))  # type: ignore[union-attr]


def test_what_somebody_brings_stays_within_what_they_are_bound_to() -> None:
    who = bound_to(collection=("a",), ward=("icu", "or"))
    assert tags_within(who, {"ward": ("or",)}) == {"ward": ("or",), "collection": ("a",)}
    with pytest.raises(UsageError, match="ward=icu, ward=or"):
        tags_within(who, {})
    with pytest.raises(DeniedError, match="collection=b"):
        tags_within(who, {"collection": ("a", "b"), "ward": ("or",)})
    assert tags_within(None, {"collection": ("b",)}) == tags_within(MORI, {"collection": ("b",)})
