"""What policies decided is kept in order, bounded, and without anybody's name."""

from __future__ import annotations

from pathlib import Path

from plugins.memory.decisions import DecisionStore
from plugins.memory.feedback import FeedbackStore

AT = "2026-11-29T10:00:00+00:00"


def test_decisions_come_back_in_order_each_policy_apart_with_the_sources_that_were_opened(
    tmp_path: Path,
) -> None:
    store = DecisionStore(tmp_path)
    assert store.read("smart") == []
    assert not store.click("aa", AT)
    for name in ("aa", "bb"):
        store.add("smart", name, {"features": [1.0], "probability": 0.5}, AT)
    store.add("other", "cc", {}, AT)
    assert store.click("bb", AT)
    assert store.click("bb", AT), "once more changes nothing"
    assert not store.click("zz", AT)
    found = store.read("smart")
    assert [(row.name, row.clicked) for row in found] == [("aa", False), ("bb", True)]
    assert found[0].data == {"features": [1.0], "probability": 0.5}
    assert store.read("smart", since="2026-11-30") == []


def test_the_oldest_go_once_there_are_too_many(tmp_path: Path) -> None:
    store = DecisionStore(tmp_path, most=50)
    store.add("other", "kept", {}, AT)
    for number in range(1, 200):
        store.add("smart", str(number), {}, AT)
    names = [row.name for row in store.read("smart")]
    assert len(names) == 50
    assert names[-1] == "199"
    assert [row.name for row in store.read("other")] == ["kept"]


def test_they_stand_beside_feedback(tmp_path: Path) -> None:
    FeedbackStore(tmp_path).add("user:aki", "up", "How hot?", {"answer": {"answer": "1,240"}}, AT)
    DecisionStore(tmp_path).add("smart", "aa", {}, AT)
    assert len(FeedbackStore(tmp_path).read(None)) == 1


def test_several_servers_share_them(postgresql: str) -> None:
    place = f"{postgresql}&schema=decided"
    DecisionStore(place).add("smart", "aa", {"probability": 0.5}, AT)
    assert DecisionStore(place).click("aa", AT)
    assert [(row.name, row.clicked) for row in DecisionStore(place).read("smart")] == [("aa", True)]
