"""What gates are held to: by hand, and beside what transformers computes."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

from adaptation.lab.experts.losses import balance_loss, load_entropy, z_loss


def test_balance_is_one_where_the_load_is_even_and_the_number_of_experts_where_one_has_it_all() -> None:
    even = torch.full((8, 4), 0.25)
    assert_close(balance_loss(even, torch.arange(8)[:, None] % 4), torch.tensor(1.0))
    all_on_one = functional.one_hot(torch.zeros(8, dtype=torch.long), 4).float()
    assert_close(balance_loss(all_on_one, torch.zeros(8, 1, dtype=torch.long)), torch.tensor(4.0))


def test_balance_by_hand() -> None:
    shares = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]])
    # Wanted by 2/3 and 1/3 of the tokens, mean probabilities 0.7 and 0.3.
    expected = 2 * (2 / 3 * 0.7 + 1 / 3 * 0.3)
    assert float(balance_loss(shares, torch.tensor([[0], [0], [1]]))) == pytest.approx(expected)


@pytest.mark.parametrize("chosen", [1, 2])
def test_balance_is_that_of_transformers_for_each_choice(chosen: int) -> None:
    logits = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    shares = logits.softmax(dim=1)
    theirs = load_balancing_loss_func((logits,), 6, chosen)
    assert_close(chosen * balance_loss(shares, shares.topk(chosen).indices), theirs)


def test_balance_makes_the_most_wanted_expert_less_likely() -> None:
    logits = torch.tensor([[2.0, 0.0, 0.0]] * 6, requires_grad=True)
    shares = logits.softmax(dim=1)
    loss: Any = balance_loss(shares, shares.topk(1).indices)
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad[:, 0] > 0).all()
    assert (logits.grad[:, 1:] < 0).all()


def test_z_loss_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    expected = (math.log(2) ** 2 + (1 + math.log(2)) ** 2) / 2
    assert float(z_loss(logits)) == pytest.approx(expected)
    assert float(z_loss(10 * logits)) > float(z_loss(logits))


@pytest.mark.parametrize(
    ("load", "expected"),
    [([3, 3, 3, 3], 1.0), ([12, 0, 0, 0], 0.0), ([6, 6, 0, 0], 0.5), ([0.25, 0.25, 0.25, 0.25], 1.0)],
)
def test_entropy_of_a_load_by_hand(load: list[float], expected: float) -> None:
    assert load_entropy(torch.tensor(load)) == pytest.approx(expected)
