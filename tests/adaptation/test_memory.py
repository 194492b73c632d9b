"""How much is computed at once follows from the memory that is free."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.finetuning.memory import LEAST, MOST, free_bytes, tokens_at_once

SMALL = SimpleNamespace(hidden_size=576, intermediate_size=1536, num_attention_heads=9)
LARGE = SimpleNamespace(hidden_size=4096, intermediate_size=14336, num_attention_heads=32)


@pytest.mark.parametrize(
    ("base", "free", "tokens"), [(SMALL, 8 << 30, 2048), (SMALL, 1 << 30, 256), (LARGE, 8 << 30, 512)]
)
def test_little_memory_makes_packs_shorter(base: SimpleNamespace, free: int, tokens: int) -> None:
    assert tokens_at_once(base, layers=15, free=free) == tokens


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40), st.integers(1, 80))
def test_more_memory_never_makes_them_shorter(first: int, second: int, layers: int) -> None:
    less, more = sorted((first, second))
    found = [tokens_at_once(LARGE, layers=layers, free=free) for free in (less, more)]
    assert LEAST <= found[0] <= found[1] <= MOST


def test_what_is_free_is_known_here() -> None:
    assert free_bytes() > 1 << 20
