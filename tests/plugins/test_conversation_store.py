"""Conversations in their place: listed, searched, read as they were shown, renamed, cut; each user's apart."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from plugins.memory import said
from plugins.memory.conversations import ConversationStore
from plugins.memory.decisions import DecisionStore
from plugins.memory.records import MACHINE
from plugins.memory.said import SAID_FILE
from plugins.memory.turns import Turn, TurnStore
from retrieval.errors import NotFoundError, UsageError
from retrieval.stores.opening import Place
from retrieval.stores.postgres_address import PostgresAddress
from retrieval.stores.postgres_connection import PostgresConnection

AT = "2026-03-01T12:00:00+00:00"
LATER = "2026-03-02T12:00:00+00:00"
AKI = "user:aki"
# As an earlier Tekio made it.
FIRST_LAYOUT = """
CREATE TABLE turns (id INTEGER PRIMARY KEY AUTOINCREMENT, "user" TEXT NOT NULL, conversation TEXT NOT NULL,
    question TEXT NOT NULL, asked TEXT NOT NULL, answer TEXT NOT NULL, refused INTEGER NOT NULL, at TEXT NOT NULL);
CREATE INDEX turns_user ON turns ("user", conversation, id);
CREATE TABLE feedback (id INTEGER PRIMARY KEY AUTOINCREMENT, "user" TEXT NOT NULL, at TEXT NOT NULL,
    rating TEXT NOT NULL, question TEXT NOT NULL, data TEXT NOT NULL);
CREATE INDEX feedback_user ON feedback ("user", id);
INSERT INTO turns ("user", conversation, question, asked, answer, refused, at)
    VALUES ('machine', 'plant', '窯の温度は?', '', '１２４０℃です。', 0, '2026-03-01T12:00:00+00:00');
PRAGMA user_version = 1;
"""
SECOND_LAYOUT = (
    FIRST_LAYOUT
    + """
ALTER TABLE turns ADD COLUMN data TEXT NOT NULL DEFAULT '';
ALTER TABLE turns ADD COLUMN finished INTEGER NOT NULL DEFAULT 1;
ALTER TABLE turns ADD COLUMN words TEXT NOT NULL DEFAULT '';
CREATE TABLE titles ("user" TEXT NOT NULL, conversation TEXT NOT NULL, title TEXT NOT NULL, words TEXT NOT NULL,
    PRIMARY KEY ("user", conversation));
UPDATE turns SET words = '窯の温度は? 1240°cです。';
PRAGMA user_version = 2;
"""
)


@pytest.fixture(params=["folder", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place of either kind where nothing is kept yet."""
    if request.param == "folder":
        return tmp_path
    return f"{request.getfixturevalue('postgresql')}&schema=t{uuid.uuid4().hex[:12]}"


def test_conversations_are_listed_by_their_first_question_searched_renamed_and_deleted(place: Place) -> None:
    store, turns = ConversationStore(place), TurnStore(place)
    assert store.listed(AKI) == []
    turns.add(AKI, "a", Turn("How hot is\nthe kiln?", "1,240 °C [1]."), AT)
    turns.add(AKI, "a", Turn("And why?", "100% sure."), AT)
    turns.add(AKI, "b", Turn("ＡＣＥ阻害薬とは?", "ﾌﾟﾛﾌﾟﾗﾉﾛｰﾙではない。"), LATER)
    turns.add("user:ben", "a", Turn("Ben's", "own"), LATER)
    assert [(row.name, row.title, row.turns, row.at) for row in store.listed(AKI)] == [
        ("b", "ＡＣＥ阻害薬とは?", 1, LATER),
        ("a", "How hot is the kiln?", 2, AT),
    ]
    found = {
        text: [row.name for row in store.listed(AKI, search=text)]
        for text in ("KILN", "ace", "プロプラノロール", "100%", "10_%", "%", "own", "nothing")
    }
    assert found == {
        "KILN": ["a"],
        "ace": ["b"],
        "プロプラノロール": ["b"],
        "100%": ["a"],
        "10_%": [],
        "%": ["a"],
        "own": [],
        "nothing": [],
    }
    store.rename(AKI, "a", "Firing")
    assert [row.title for row in store.listed(AKI, search="firing")] == ["Firing"]
    store.rename(AKI, "a", "")
    assert store.listed(AKI, search="firing") == []
    assert turns.forget(AKI, "a") == 2
    assert [row.name for row in store.listed(AKI)] == ["b"]
    assert [row.title for row in store.listed("user:ben")] == ["Ben's"]


def test_a_turn_comes_back_as_it_was_shown_and_one_without_an_answer_is_no_past_to_go_on_from(
    place: Place,
) -> None:
    store, turns = ConversationStore(place), TurnStore(place)
    first = turns.add(AKI, "a", Turn("How hot?", "1,240 °C."), AT, data={"answer": {"text": "熱い"}})
    second = turns.add(AKI, "a", Turn("Why?", "Beca"), AT, data={"draft": "Beca"}, finished=False)
    kept = store.read(AKI, "a")
    assert [(turn.id, turn.finished) for turn in kept] == [(first, True), (second, False)]
    assert kept[0].data == {"answer": {"text": "熱い"}}
    assert [turn.question for turn in turns.read(AKI, "a")] == ["How hot?"]
    assert store.cut("user:ben", "a", first) == 0
    assert store.cut(AKI, "a", second) == 1
    assert [turn.id for turn in store.read(AKI, "a")] == [first]


@pytest.mark.parametrize("other", [MACHINE, "", "user:Aki", "user:%"])
def test_nobody_reaches_the_conversations_of_another(tmp_path: Path, other: str) -> None:
    store = ConversationStore(tmp_path)
    TurnStore(tmp_path).add(AKI, "a", Turn("How hot?", "1,240 °C."), AT)
    assert (store.listed(other), store.read(other, "a")) == ([], [])
    assert store.find(other, "a") is None
    with pytest.raises(NotFoundError, match="there is no conversation 'a'"):
        store.rename(other, "a", "mine")


@pytest.mark.parametrize("title", ["x" * 201, "a\x1bb"])
def test_a_title_that_cannot_be_shown_in_a_list_is_refused(tmp_path: Path, title: str) -> None:
    TurnStore(tmp_path).add(AKI, "a", Turn("How hot?", "1,240 °C."), AT)
    with pytest.raises(UsageError, match="printable"):
        ConversationStore(tmp_path).rename(AKI, "a", title)


@pytest.mark.parametrize("layout", [FIRST_LAYOUT, SECOND_LAYOUT], ids=["1", "2"])
def test_what_an_earlier_layout_holds_is_found_and_read(tmp_path: Path, layout: str) -> None:
    with sqlite3.connect(tmp_path / SAID_FILE) as connection:
        connection.executescript(layout)
    store = ConversationStore(tmp_path)
    assert [row.title for row in store.listed(MACHINE, search="1240℃")] == ["窯の温度は?"]
    ((turn,),) = (store.read(MACHINE, "plant"),)
    assert (turn.turn.answer, turn.data, turn.finished) == ("１２４０℃です。", {}, True)
    assert TurnStore(tmp_path).read(MACHINE, "plant") == [turn.turn]
    DecisionStore(tmp_path).add("smart", "aa", {}, AT)
    assert [row.name for row in DecisionStore(tmp_path).read("smart")] == ["aa"]


@pytest.mark.parametrize("layout", [1, 2])
def test_what_an_earlier_layout_in_postgresql_holds_is_found_and_read(postgresql: str, layout: int) -> None:
    address = f"{postgresql}&schema=t{uuid.uuid4().hex[:12]}"
    schema = PostgresAddress.parse(address).schema
    with closing(PostgresConnection(PostgresAddress.parse(address))) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        for made in (said._SCHEMA.replace(*said._IDENTITY), said._SECOND)[:layout]:
            for statement in made.split(";"):
                connection.execute(statement)
        row = (MACHINE, "plant", "窯の温度は?", "窯の温度は?", "１２４０℃です。", 0, AT)
        names = '"user", conversation, question, asked, answer, refused, at'
        connection.execute(f"INSERT INTO turns ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("CREATE TABLE said_layout (layout integer NOT NULL)")
        connection.execute("INSERT INTO said_layout VALUES (?)", (layout,))
    store = ConversationStore(address)
    assert [row.title for row in store.listed(MACHINE, search="1240℃")] == ["窯の温度は?"]
    (turn,) = store.read(MACHINE, "plant")
    assert (turn.turn.answer, turn.data, turn.finished) == ("１２４０℃です。", {}, True)
    DecisionStore(address).add("smart", "aa", {}, AT)
    assert [row.name for row in DecisionStore(address).read("smart")] == ["aa"]


def test_every_earlier_layout_of_conversations_is_tested_here() -> None:
    assert said.LAYOUT == 3, "write tests that bring the last layout up to date, then change this"
