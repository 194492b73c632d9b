"""Who finds a document: its owner, its readers, and nobody else, by whatever way a search is asked for."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.access import PUBLIC, Access, Caller, access, caller
from retrieval.errors import UsageError
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
