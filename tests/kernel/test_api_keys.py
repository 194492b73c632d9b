"""The keys of the API, in every place that an index can be kept in."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kernel.api_keys import PREFIX, KeyRefusedError, KeyStore, covers
from retrieval.errors import UsageError
from retrieval.stores.opening import Place, open_database

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def here() -> str:
    return "the index"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(tmp_path: Path, clock: Clock) -> KeyStore:
    return KeyStore(tmp_path / "memory", now=clock, fresh_seconds=0)


def test_what_one_process_makes_and_revokes_another_knows_and_no_place_holds_the_key(place: Place) -> None:
    one, other = KeyStore(place, fresh_seconds=0), KeyStore(place, fresh_seconds=0)
    assert (one.listed(), one.are_there()) == ([], False)
    made, text = one.create("reports", "read", user="mori", groups=["office"])
    found = other.check(text, here)
    assert (found.name, found.scope, found.user, found.groups) == ("reports", "read", "mori", ("office",))
    with (
        closing(open_database(place, create=False)) as database,
        database.writer(),
    ):  # a memory is being written
        held = database.get_meta("api_keys") or ""
    assert text.removeprefix(f"{PREFIX}{made.id}_") not in held
    one.revoke("reports")
    with pytest.raises(KeyRefusedError, match="'reports' is revoked"):
        other.check(text, here)
    assert other.are_there(), "whoever had a key needs one from now on"


def test_a_key_is_random_begins_readably_and_is_known_to_the_last_letter(keys: KeyStore) -> None:
    texts = [keys.create(f"key {number}", "read")[1] for number in range(3)]
    assert len({text.split("_", 2)[2] for text in texts}) == 3
    for text in texts:
        assert text.startswith(PREFIX)
        assert len(text.split("_", 2)[2]) >= 43, "256 bits"
        changed = text[:-1] + ("A" if text[-1] != "A" else "B")
        for wrong in (changed, text[:-1], f"{text}x", text.upper(), "", PREFIX, f"{PREFIX}\udcff_x"):
            with pytest.raises(KeyRefusedError, match="not known"):
                keys.check(wrong, here)
        assert keys.check(text, here)


def test_a_key_holds_until_its_last_second(keys: KeyStore, clock: Clock) -> None:
    made, text = keys.create("a week", "write", days=7)
    assert made.expires == "2026-05-08T12:00:00+00:00"
    clock.now = NOW + timedelta(days=7, seconds=-1)
    assert keys.check(text, here).id == made.id
    clock.now = NOW + timedelta(days=7)
    with pytest.raises(KeyRefusedError, match="'a week' is expired"):
        keys.check(text, here)
    assert keys.create("a week", "write")[0].expires == "", "the name is free again"


def test_a_key_of_one_index_does_not_open_another(keys: KeyStore) -> None:
    _, text = keys.create("one index", "read", index="the index")
    assert keys.check(text, here)
    for other in ("another", ""):
        with pytest.raises(KeyRefusedError, match="another index"):
            keys.check(text, lambda other=other: other)  # type: ignore[misc]


def test_a_name_says_which_key_is_revoked(keys: KeyStore) -> None:
    first, _ = keys.create("ci", "read")
    with pytest.raises(UsageError, match="there is a key named 'ci'"):
        keys.create("ci", "read")
    assert keys.revoke(first.id).id == first.id
    second, text = keys.create("ci", "read")
    assert keys.revoke("ci").id == second.id
    with pytest.raises(UsageError, match="tekio keys list"):
        keys.revoke("ci")
    with pytest.raises(KeyRefusedError):
        keys.check(text, here)


@pytest.mark.parametrize(
    ("name", "scope", "more", "says"),
    [
        ("", "read", {}, "1 to 100"),
        ("x" * 101, "read", {}, "1 to 100"),
        ("a\nb", "read", {}, "printable"),
        ("a", "root", {}, "read, write, admin"),
        ("a", "read", {"days": 0}, "1 to 36,500 days"),
        ("a", "read", {"groups": ["g"]}, "groups need a user"),
    ],
)
def test_a_key_that_cannot_be_is_told_and_leaves_nothing(
    keys: KeyStore, name: str, scope: str, more: dict[str, object], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        keys.create(name, scope, **more)  # type: ignore[arg-type]
    assert not keys.are_there()


def test_a_scope_holds_those_before_it() -> None:
    assert [covers("write", needed) for needed in ("read", "write", "admin")] == [True, True, False]
    assert covers("admin", "admin")
    assert not covers("read", "write")


def test_keys_of_a_newer_tekio_are_not_read_as_if_they_were_known(keys: KeyStore, tmp_path: Path) -> None:
    keys.create("a", "read")
    with closing(open_database(tmp_path / "memory", create=False)) as database:
        database.set_meta("api_keys", json.dumps({"layout": 3, "keys": []}))
    with pytest.raises(Exception, match="newer Tekio"):
        keys.are_there()


def test_keys_of_layout_1_hold_on_and_are_bound_to_nothing(keys: KeyStore, tmp_path: Path) -> None:
    _, text = keys.create("old", "write", user="mori", groups=["icu"])
    with closing(open_database(tmp_path / "memory", create=True)) as database, database.writer():
        held = database.get_meta_json("api_keys")
        for row in held["keys"]:
            del row["tags"]
        database.set_meta("api_keys", json.dumps(held | {"layout": 1}))
    assert keys.check(text, here).caller(None) is None
    _, bound = keys.create("new", "read", tags={"collection": ("a",)})
    assert keys.check(text, here).groups == ("icu",)
    who = keys.check(bound, here).caller(None)
    assert who is not None
    assert who.bound is not None
    assert who.bound.tags == (("collection", ("a",)),)
    assert who.owns
