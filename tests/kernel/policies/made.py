"""Policies and their files as tests need them."""

from __future__ import annotations

from typing import Any

from kernel.policies.features import FEATURES
from kernel.policies.network import VERSION, Layer, PolicyFile
from kernel.policies.settings import PolicySettings

TWO = {"actions": [{"variant": "extractive"}, {"variant": "extractive", "top_k": 2}]}


def policy(**settings: Any) -> PolicySettings:
    """A policy of two actions, unless others are given."""
    return PolicySettings.model_validate({**TWO, **settings})


def file_for(settings: PolicySettings, *, favours: int, **changes: Any) -> PolicyFile:
    """A trained policy that nearly always takes one action, whatever the question is."""
    count, width = len(settings.actions), len(FEATURES)
    bias = [10.0 * (place == favours) for place in range(count)]
    file = PolicyFile(
        version=VERSION,
        made="2026-11-29T00:00:00+00:00",
        features=list(FEATURES),
        actions=settings.plain_actions,
        learned=[True] * count,
        mean=[0.0] * width,
        scale=[1.0] * width,
        layers=[Layer(weights=[[0.0] * width for _ in range(count)], bias=bias)],
    )
    return file.model_copy(update=changes)
