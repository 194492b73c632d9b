"""Muon steps as torch's own does, in whichever precision the hardware is fast in."""

from __future__ import annotations

import pytest
import torch

from adaptation.lab.scratch import muon
from adaptation.lab.scratch.muon import Muon, orthogonal

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def weights_of(seed: int = 0) -> list[torch.nn.Parameter]:
    drawn = torch.Generator().manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(shape, generator=drawn)) for shape in ((8, 24), (24, 8), (16, 16))]


def moved(optimiser: torch.optim.Optimizer, weights: list[torch.nn.Parameter]) -> list[torch.Tensor]:
    drawn = torch.Generator().manual_seed(1)
    for _ in range(4):
        for weight in weights:
            weight.grad = torch.randn(weight.shape, generator=drawn)
        optimiser.step()
    return [weight.detach().clone() for weight in weights]


def by_torch() -> list[torch.Tensor]:
    weights = weights_of()
    return moved(
        torch.optim.Muon(weights, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"), weights
    )


def test_in_bfloat16_its_steps_are_those_of_torch() -> None:
    weights = weights_of()
    own = moved(Muon(weights, 0.02, 0.1, torch.bfloat16), weights)
    for one, other in zip(own, by_torch(), strict=True):
        assert torch.equal(one, other)


def test_in_float32_its_steps_are_those_of_torch_up_to_rounding() -> None:
    weights = weights_of()
    own = moved(Muon(weights, 0.02, 0.1, torch.float32), weights)
    for one, other, before in zip(own, by_torch(), weights_of(), strict=True):
        step = (other - before).detach().norm()
        assert (one - other).norm() < 0.03 * step


@pytest.mark.parametrize(("fast", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_bfloat16_is_taken_where_it_is_faster(
    fast: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(muon, "learns_in_bf16", lambda: fast)
    weights = weights_of()
    chosen = moved(Muon(weights, 0.02, 0.1), weights)
    others = weights_of()
    for one, other in zip(chosen, moved(Muon(others, 0.02, 0.1, dtype), others), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("shape", [(8, 24), (24, 8)])
def test_singular_values_come_close_to_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    found = orthogonal(matrix, COEFFICIENTS, 5, 1e-7, torch.float32)
    values = torch.linalg.svdvals(found)
    assert found.shape == matrix.shape
    assert 0.5 < float(values.min()) <= float(values.max()) < 1.5
