"""A policy's file is checked when it is read, and computed as it was trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adaptation.policies.sac import DiscreteSac, Recipe
from kernel.policies.features import FEATURES, features_of
from kernel.policies.network import VERSION, Layer, Network, read_policy
from retrieval.errors import UsageError
from tests.kernel.policies.made import file_for, policy

WIDTH = len(FEATURES)


def test_numpy_computes_what_torch_trained() -> None:
    sac = DiscreteSac(WIDTH, 3, Recipe(hidden=16), seed=3, allowed=np.array([True, False, True]))
    states = np.random.default_rng(0).normal(size=(20, WIDTH)).astype(np.float32)
    layers = [Layer(weights=weights, bias=bias) for weights, bias in sac.layers()]
    settings = policy(actions=[{"variant": "extractive", "top_k": top} for top in (1, 2, 3)])
    file = file_for(settings, favours=0, layers=layers, learned=[True, False, True])
    ours = Network.of(file).probabilities(states.astype(float))
    assert np.allclose(ours, sac.probabilities(states), atol=1e-5)
    assert (ours[:, 1] == 0).all(), "an action that was never seen is never chosen"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"version": VERSION + 1}, f"is of version {VERSION + 1}, not {VERSION}"),
        ({"features": ["length"]}, "other features"),
        ({"actions": [{"variant": "other"}, {"variant": "base"}]}, "for other actions than the settings"),
        ({"mean": [float("nan")] * WIDTH}, "no number"),
        ({"layers": [Layer(weights=[[float("inf")] * WIDTH] * 2, bias=[0.0, 0.0])]}, "no number"),
        ({"layers": [Layer(weights=[[0.0] * 3] * 2, bias=[0.0, 0.0])]}, "do not go together"),
        ({"scale": [0.0] * WIDTH}, "do not go together"),
        ({"learned": [False, False]}, "do not go together"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], line: str
) -> None:
    settings = policy()
    path = tmp_path / "policy.json"
    # As JSON of Python has it, which knows NaN.
    path.write_text(json.dumps(file_for(settings, favours=1, **changes).model_dump()), encoding="utf-8")
    with pytest.raises(UsageError, match=line) as raised:
        read_policy(path, settings.plain_actions)
    assert "\n" not in str(raised.value)
    assert "train it anew" in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", "not JSON", '{"version": 1}'])
def test_what_is_no_policy_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "policy.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read") as raised:
        read_policy(path)
    assert "\n" not in str(raised.value)


def test_features_tell_questions_apart_and_hold_no_text() -> None:
    measured = {"similarity": 0.8, "confidence": 0.6, "passages": 5.0}
    named = {
        question: dict(zip(FEATURES, features_of(question, language, measured), strict=True))
        for question, language in (
            ("Why is the kiln fired hotter on Fridays?", "en"),
            ("Who signs form 27?", "en"),
            ("釉薬の温度は何度ですか。", "ja"),
        )
    }
    why, who, japanese = named.values()
    assert (why["asks_reason"], who["asks_reason"]) == (1.0, 0.0)
    assert (who["asks_name"], who["digits"], why["digits"]) == (1.0, 1.0, 0.0)
    assert (japanese["japanese"], japanese["asks_figure"], why["japanese"]) == (1.0, 1.0, 0.0)
    assert why["similarity"] == 0.8
    assert why["draft_support"] == 0.0, "what was not measured"
