"""What a recipe refuses, in a line that names the option."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from adaptation.lab.experts.recipe import ExpertRecipe
from retrieval.errors import UsageError


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"experts": 1}, "--experts is at least 2"),
        ({"experts": 2}, "more than a token is given to"),
        ({"experts": 7, "parts": 2}, "do not divide.*--experts 8"),
        ({"experts": 9, "parts": 3}, "cannot hold whole layers"),
        ({"experts": 8, "parts": 2, "routing": "top1"}, "cannot hold whole layers"),
        ({"kind": "lora", "parts": 2}, "--parts is of --kind model"),
        ({"kind": "sparse"}, "--kind is one of model, lora"),
        ({"routing": "top3"}, "--routing is one of top1, top2"),
        ({"overflow": "queue"}, "--overflow is one of drop, reroute"),
        ({"balance": -0.1}, "--balance is from 0"),
        ({"capacity": float("nan")}, "--capacity is from 0"),
        ({"gate_dropout": 1.0}, "--gate-dropout is from 0 to 0.9"),
        ({"gate_start": 0.0}, "--gate-start is above 0"),
        ({"rate": 0.0}, "--rate is above 0"),
        ({"held_out": 0.0}, "--held-out is above 0"),
        ({"steps": 0}, "--steps is at least 1"),
        ({"rows": 6, "together": 4}, "no multiple"),
    ],
)
def test_what_does_not_go_is_told_by_its_option(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ExpertRecipe(**changed).check()


def test_what_goes_is_taken() -> None:
    for recipe in (
        ExpertRecipe(),
        ExpertRecipe(parts=2),
        ExpertRecipe(routing="top1"),
        ExpertRecipe(kind="lora", experts=4),
        ExpertRecipe(rows=4, together=8),
    ):
        recipe.check()


def test_every_number_tells_two_runs_apart() -> None:
    first = ExpertRecipe()
    digests = {first.digest("texts", "base"), first.digest("others", "base"), first.digest("texts", "other")}
    for name, value in asdict(first).items():
        changed: Any = f"{value}x" if isinstance(value, str) else (value or 0) + 1
        digests.add(replace(first, **{name: changed}).digest("texts", "base"))
    assert len(digests) == 3 + len(asdict(first))
