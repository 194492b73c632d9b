"""What the settings may say of a policy, and the one clear line where they say something else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from kernel.settings import load_settings
from retrieval.errors import UsageError
from tests.kernel.policies.made import TWO


def told(**table: Any) -> str:
    with pytest.raises(UsageError) as raised:
        load_settings(policies={"smart": {**TWO, **table}})
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ({"actions": [{"variant": "base"}, {"variant": "base"}]}, "the action 'base' stands there twice"),
        ({"actions": []}, "at least 1 item"),
        ({"actions": [{"variant": "extractive", "temperature": 1.0}]}, "extractive writes nothing"),
        ({"actions": [{"variant": "base", "temperature": 3.0}]}, "less than or equal to 2"),
        ({"rewards": {"correct": -1}}, "rewards.correct.*greater than or equal to 0"),
        ({"rewards": {"correct": float("nan")}}, "rewards.correct.*finite"),
        ({"rewards": {"correct": 0, "supported": 0, "short": 0, "fast": 0}}, "may not be all 0"),
        ({"explore": 0.5, "default_share": 0.6}, "together may be 1 at most"),
        ({"default_share": 0}, "default_share.*greater than or equal to 0.01"),
        ({"explored": 0.1}, "explored.*not permitted"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(table: dict[str, Any], line: str) -> None:
    assert re.search(line, told(**table)), told(**table)


def test_a_policy_that_may_choose_itself_is_refused() -> None:
    with pytest.raises(UsageError, match="circle: smart > smart"):
        load_settings(policies={"smart": {"actions": [{"variant": "smart"}]}})


def test_a_policy_is_a_variant_like_others(tmp_path: Path) -> None:
    settings = load_settings(policies={"smart": TWO}, index=tmp_path)
    assert settings.policies["smart"].asks == ["extractive"]
    assert "smart" in settings.named_variants
    assert [action.label for action in settings.policies["smart"].actions] == [
        "extractive",
        "extractive, top 2",
    ]
