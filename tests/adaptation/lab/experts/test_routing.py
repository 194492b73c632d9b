"""Who computes a token: held against routing by hand, and against the gates of transformers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from transformers import MixtralConfig, Qwen2MoeConfig
from transformers.models.mixtral.modeling_mixtral import MixtralTopKRouter
from transformers.models.qwen2_moe.modeling_qwen2_moe import Qwen2MoeTopKRouter

from adaptation.lab.experts.gates import TrainingGate
from adaptation.lab.experts.recipe import ExpertRecipe, Overflow
from adaptation.lab.experts.routing import capacity_of, route

# Of four tokens the probabilities of three experts, as a softmax gives them of their logarithms.
SHARES = torch.tensor([[0.70, 0.20, 0.10], [0.60, 0.30, 0.10], [0.50, 0.10, 0.40], [0.15, 0.80, 0.05]])
NO, YES = False, True


@pytest.mark.parametrize(
    ("tokens", "experts", "chosen", "factor", "expected"),
    [(10, 4, 1, 1.0, 3), (8, 4, 2, 1.25, 5), (8, 4, 2, 0.0, 8), (8, 4, 2, 100.0, 8), (3, 8, 1, 1.0, 1)],
)
def test_capacity_is_a_multiple_of_the_even_share_and_never_more_than_all_tokens(
    tokens: int, experts: int, chosen: int, factor: float, expected: int
) -> None:
    assert capacity_of(tokens, experts, chosen, factor) == expected


def test_one_expert_is_weighed_by_its_probability_among_all() -> None:
    routed = route(SHARES.log(), 1)
    assert routed.experts.tolist() == [[0], [0], [0], [1]]
    assert_close(routed.weights[:, 0], torch.tensor([0.7, 0.6, 0.5, 0.8]))
    assert not routed.dropped.any()


def test_two_experts_are_weighed_by_the_softmax_over_both() -> None:
    routed = route(SHARES.log(), 2)
    assert routed.experts.tolist() == [[0, 1], [0, 1], [0, 2], [1, 0]]
    assert_close(
        routed.weights, torch.tensor([[7 / 9, 2 / 9], [6 / 9, 3 / 9], [5 / 9, 4 / 9], [16 / 19, 3 / 19]])
    )
    logits = SHARES.log()[:, :2]  # of the first two tokens these are the chosen ones
    assert_close(routed.weights[:2], logits[:2].softmax(dim=1))


def test_a_full_expert_drops_the_later_token() -> None:
    routed = route(SHARES.log(), 1, factor=1.0)  # room for 2
    assert routed.dropped[:, 0].tolist() == [NO, NO, YES, NO]
    assert_close(routed.weights[:, 0], torch.tensor([0.7, 0.6, 0.0, 0.8]))


def test_a_full_expert_hands_the_later_token_to_the_next_best() -> None:
    routed = route(SHARES.log(), 1, factor=1.0, overflow="reroute")
    assert not routed.dropped.any()
    assert routed.experts[:, 0].tolist() == [0, 0, 2, 1]
    assert_close(routed.weights[:, 0], torch.tensor([0.7, 0.6, 0.4, 0.8]))
    assert routed.wanted[:, 0].tolist() == [0, 0, 0, 1]  # what the balance is counted by


def test_all_first_choices_come_before_second_ones() -> None:
    routed = route(SHARES.log(), 2, factor=0.75)  # room for 2
    assert routed.dropped.tolist() == [[NO, NO], [NO, YES], [YES, NO], [NO, YES]]
    assert_close(routed.weights, torch.tensor([[7 / 9, 2 / 9], [6 / 9, 0.0], [0.0, 4 / 9], [16 / 19, 0.0]]))


def test_second_choices_are_handed_on_once_first_ones_are_settled() -> None:
    routed = route(SHARES.log(), 2, factor=0.75, overflow="reroute")
    # The third token's first choice goes to the third expert; only two places are left for four second choices.
    assert routed.experts[:, 0].tolist() == [0, 0, 2, 1]
    assert routed.dropped.tolist() == [[NO, NO], [NO, YES], [NO, YES], [NO, NO]]
    assert routed.experts[0, 1] == 1
    assert routed.experts[3, 1] == 2
    assert_close(routed.weights[3], torch.tensor([16 / 17, 1 / 17]))


@settings(deadline=None, max_examples=60)
@given(
    tokens=st.integers(1, 24),
    experts=st.integers(2, 6),
    chosen=st.integers(1, 2),
    factor=st.sampled_from([0.0, 0.3, 0.5, 1.0, 1.25, 3.0]),
    overflow=st.sampled_from(["drop", "reroute"]),
    seed=st.integers(0, 1000),
)
def test_no_expert_takes_more_than_its_capacity_and_no_token_twice(
    tokens: int, experts: int, chosen: int, factor: float, overflow: Overflow, seed: int
) -> None:
    logits = 3 * torch.randn(tokens, experts, generator=torch.Generator().manual_seed(seed))
    routed = route(logits, chosen, factor=factor, overflow=overflow)
    capacity = capacity_of(tokens, experts, chosen, factor)
    taken = torch.zeros(tokens, experts)
    for token in range(tokens):
        for choice in range(chosen):
            if not routed.dropped[token, choice]:
                taken[token, routed.experts[token, choice]] += 1
    assert taken.max() <= 1
    assert taken.sum(dim=0).max() <= capacity
    assert ((routed.weights == 0) == routed.dropped).all()
    assert (routed.weights.sum(dim=1) <= 1 + 1e-5).all()
    if overflow == "reroute":
        for token in range(tokens):  # a choice is lost only where nobody else could have computed it
            if routed.dropped[token].any():
                assert ((taken.sum(dim=0) >= capacity) | (taken[token] > 0)).all()


def gates(kind: str) -> tuple[Any, ExpertRecipe]:
    """A gate of transformers, and a recipe that routes as it does."""
    recipe = ExpertRecipe(experts=5, routing=kind, capacity=0.5)
    if kind == "top2":
        mixtral = MixtralConfig(hidden_size=16, num_local_experts=5, num_experts_per_tok=2)
        gate: Any = MixtralTopKRouter(mixtral)  # type: ignore[no-untyped-call]
    else:
        config = Qwen2MoeConfig(hidden_size=16, num_experts=5, num_experts_per_tok=1, norm_topk_prob=False)
        gate = Qwen2MoeTopKRouter(config)  # type: ignore[no-untyped-call]
    torch.manual_seed(0)
    torch.nn.init.normal_(gate.weight)
    return gate, recipe


@pytest.mark.parametrize("kind", ["top1", "top2"])
def test_when_not_training_a_gate_routes_as_that_of_transformers(kind: str) -> None:
    gate, recipe = gates(kind)
    tokens = torch.randn(3, 7, 16, generator=torch.Generator().manual_seed(2))
    found, expected = TrainingGate(gate.weight, recipe).eval()(tokens), gate(tokens)
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours, theirs)


def test_in_training_a_gate_keeps_to_its_capacity_and_remembers_where_it_sent_tokens() -> None:
    gate, recipe = gates("top2")
    ours = TrainingGate(gate.weight, recipe).train()
    _, weights, experts = ours(torch.randn(1, 20, 16))
    kept = experts[weights > 0]
    assert torch.bincount(kept, minlength=5).max() <= capacity_of(20, 5, 2, 0.5)
    assert ours.routed is not None
    assert torch.equal(ours.routed.experts, experts)
    ours.eval()(torch.randn(1, 4, 16))
    assert ours.routed is None


def test_dropout_of_a_gate_changes_who_is_chosen_in_training_alone() -> None:
    gate, _ = gates("top2")
    ours = TrainingGate(gate.weight, ExpertRecipe(experts=5, gate_dropout=0.5, capacity=0))
    tokens = torch.randn(1, 40, 16)
    assert not torch.equal(ours.train()(tokens)[0], ours(tokens)[0])
    assert torch.equal(ours.eval()(tokens)[0], ours(tokens)[0])
