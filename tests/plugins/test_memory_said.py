"""Conversations and feedback in their file: each user's apart, in order, and refused in one line when it cannot be."""

from __future__ import annotations

import sqlite3
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from plugins.memory.feedback import FeedbackStore, preference_pairs
from plugins.memory.records import MACHINE
from plugins.memory.rules import fact_to_remember
from plugins.memory.said import SAID_FILE
from plugins.memory.turns import MOST_TURNS, Turn, TurnStore
from retrieval.errors import TekioError, UsageError
from retrieval.stores.opening import Place

AT = "2026-03-01T12:00:00+00:00"


def answer(text: str) -> dict[str, object]:
    return {"answer": {"answer": text}}


@pytest.fixture(params=["folder", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place of either kind where nothing is kept yet."""
    if request.param == "folder":
        return tmp_path
    return f"{request.getfixturevalue('postgresql')}&schema=t{uuid.uuid4().hex[:12]}"


def test_reading_makes_no_file(tmp_path: Path) -> None:
    assert TurnStore(tmp_path).read(MACHINE, "plant") == []
    assert not (tmp_path / SAID_FILE).exists()


def test_several_processes_that_come_first_at_once_keep_all_that_is_said(place: Place) -> None:
    def keep(number: int) -> None:
        TurnStore(place).add(MACHINE, "plant", Turn(f"q{number}", ""), AT)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keep, range(16)))
    assert {turn.question for turn in TurnStore(place).read(MACHINE, "plant")} == {
        f"q{number}" for number in range(16)
    }


def test_turns_come_back_in_their_order_and_only_to_whose_they_are(place: Place) -> None:
    store = TurnStore(place)
    assert store.read(MACHINE, "plant") == []
    turns = [Turn("How long?", "Two days.", "How long?"), Turn("And why?", "わかりません。", "Why?", True)]
    for turn in turns:
        store.add("user:aki", "plant", turn, AT)
    store.add("user:ben", "plant", Turn("Ben's", "own"), AT)
    assert store.read("user:aki", " plant ") == turns
    assert store.read("user:aki", "plant", most=1) == turns[1:]
    assert store.names("user:aki") == {"plant": 2}
    for other in (MACHINE, "", "user:Aki", "user:%", "user:aki' --"):
        assert store.read(other, "plant") == []
        assert store.names(other) == {}
        assert store.forget(other, "plant") == 0
    assert store.forget("user:aki", "plant") == 2
    assert [turn.question for turn in store.read("user:ben", "plant")] == ["Ben's"]


def test_the_oldest_turns_go_when_there_are_too_many(tmp_path: Path) -> None:
    store = TurnStore(tmp_path)
    store.add("user:aki", "long", Turn("first", ""), AT)
    with sqlite3.connect(tmp_path / SAID_FILE) as connection:
        connection.executemany(
            "INSERT INTO turns (user, conversation, question, asked, answer, refused, at) VALUES (?,?,?,?,?,?,?)",
            [("user:aki", "long", f"q{number}", "", "", 0, AT) for number in range(MOST_TURNS)],
        )
    store.add("user:aki", "long", Turn("last", ""), AT)
    held = store.read("user:aki", "long", most=10 * MOST_TURNS)
    assert len(held) == MOST_TURNS
    assert (held[0].question, held[-1].question) == ("q1", "last")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201])
def test_a_conversation_needs_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        TurnStore(tmp_path).add("user:aki", name, Turn("q", "a"), AT)


def test_feedback_gives_approved_answers_and_preference_pairs(place: Place) -> None:
    store = FeedbackStore(place)
    store.add("user:aki", "up", "How long?", answer("Two days."), AT)
    store.add("user:aki", "down", "How long?", answer("Three weeks."), AT)
    store.add("user:aki", "down", "Why?", answer("No idea.") | {"correction": "Because of rust."}, AT)
    store.add("user:ben", "down", "How long?", answer("Five days."), AT)
    rows = store.read("user:aki")
    assert [(row.approved, row.rejected) for row in rows] == [
        ("Two days.", ""),
        ("", "Three weeks."),
        ("Because of rust.", "No idea."),
    ]
    assert preference_pairs(store.read(None)) == [
        ("How long?", "Two days.", "Three weeks."),
        ("Why?", "Because of rust.", "No idea."),
    ]
    assert len(store.read(None)) == 4
    assert store.read("") == store.read(MACHINE) == []


def test_feedback_is_read_page_by_page_the_newest_first(place: Place) -> None:
    store = FeedbackStore(place)
    assert store.page(None, limit=5) == ([], 0)
    for number, (owner, rating) in enumerate(
        [("user:aki", "up"), ("user:ben", "down"), ("user:aki", "down")]
    ):
        store.add(owner, rating, f"q{number}", answer("a"), AT)

    def questions(owner: str | None, rating: str = "", offset: int = 0) -> tuple[list[str], int]:
        rows, total = store.page(owner, rating=rating, limit=2, offset=offset)
        return [row.question for row in rows], total

    assert questions(None) == (["q2", "q1"], 3)
    assert questions(None, offset=2) == (["q0"], 3)
    assert questions("user:aki") == (["q2", "q0"], 2)
    assert questions("user:aki", "up") == (["q0"], 1)
    assert questions(None, "down") == (["q2", "q1"], 2)
    for stranger in ("", MACHINE, "user:%", "x' OR '1'='1"):
        assert questions(stranger) == ([], 0)


def test_a_rating_that_is_none_and_a_user_who_is_nobody_are_refused(tmp_path: Path) -> None:
    for owner, rating in (("user:aki", "sideways"), ("", "up")):
        with pytest.raises(UsageError):
            FeedbackStore(tmp_path).add(owner, rating, "q", answer("a"), AT)


@pytest.mark.parametrize("content", [b"no database" * 1000, None])
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is None:
        with sqlite3.connect(tmp_path / SAID_FILE) as connection:
            connection.execute("PRAGMA user_version = 99")
    else:
        (tmp_path / SAID_FILE).write_bytes(content)
    with pytest.raises(TekioError) as raised:
        TurnStore(tmp_path).read(MACHINE, "x")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("remember that the key is in drawer 4.", "the key is in drawer 4."),
        ("Please remember: pump P-7 is broken", "pump P-7 is broken"),
        ("Can you remember that the kiln is K2?", "the kiln is K2"),
        ("鍵は棚Bにあることを覚えておいて", "鍵は棚Bにある"),
        ("鍵の番号は4711と覚えておいてください。", "鍵の番号は4711"),
        ("私の担当は第二工場です。覚えておいてね。", "私の担当は第二工場です。"),
        ("覚えておいて：会議は金曜", "会議は金曜"),
        ("Do you remember that the key is in drawer 4?", None),
        ("What should I remember when I fire the kiln?", None),
        ("Remember that pump? Where is it?", None),
        ("Remember the pump", None),
        ("Note that I have no card. How do I get in?", None),
        ("これを覚えておいて", None),
        ("鍵の場所を覚えていますか。", None),
        ("何を覚えておくべきですか。", None),
    ],
)
def test_what_asks_to_be_remembered_is_told_from_what_asks(text: str, fact: str | None) -> None:
    assert fact_to_remember(text) == fact


def test_tables_of_a_newer_tekio_are_refused_in_one_line(postgresql: str) -> None:
    address = f"{postgresql}&schema=t{uuid.uuid4().hex[:12]}"
    store = TurnStore(address)
    store.add(MACHINE, "plant", Turn("q", "a"), AT)
    with store._said.connection() as connection:
        connection.execute("UPDATE said_layout SET layout = 99")
    with pytest.raises(TekioError, match="layout 99") as raised:
        store.read(MACHINE, "plant")
    assert "\n" not in str(raised.value)
