from __future__ import annotations

import pytest
import torch

from adaptation.lab.scratch.architectures import (
    KINDS,
    SHAPES,
    config_of,
    cost_of,
    empty_model,
    shape_of,
    table_of,
)
from adaptation.lab.scratch.recipe import Kind
from retrieval.errors import UsageError


@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_that_are_told_are_those_of_the_model(kind: Kind) -> None:
    shape = shape_of("nano")
    cost = cost_of(kind, shape, vocabulary=500, positions=64, window=32, batch=4, tokens=1e6)
    model = empty_model(kind, config_of(kind, shape, vocabulary=500, positions=64))
    assert cost.parameters == sum(weight.numel() for weight in model.parameters())
    assert cost.bytes == 4 * cost.parameters
    assert cost.memory > 16 * cost.parameters
    assert cost.flops == cost.flops_a_token * 1e6


def test_the_flops_that_are_told_are_those_that_torch_counts() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    shape = shape_of("nano")
    cost = cost_of("decoder", shape, vocabulary=500, positions=64, window=32, batch=1, tokens=1)
    model = empty_model("decoder", config_of("decoder", shape, vocabulary=500, positions=64))
    model.set_attn_implementation("eager")
    ids = torch.randint(0, 500, (2, 32))
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids, labels=ids).loss.backward()
    counted = counter.get_total_flops() / ids.numel()
    assert cost.flops_a_token == pytest.approx(counted, rel=0.05)


def test_the_table_has_each_kind_in_each_size_and_grows() -> None:
    table = table_of(vocabulary=500, positions=64, window=32, batch=4, tokens=1e6)
    assert len(table) == len(KINDS) * len(SHAPES)
    for kind in KINDS:
        own = [cost for cost in table if cost.kind == kind]
        assert [cost.parameters for cost in own] == sorted(cost.parameters for cost in own)
        assert [cost.flops for cost in own] == sorted(cost.flops for cost in own)


def test_a_size_that_is_unknown_is_told_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match="no size 'huge'; there are nano, micro"):
        shape_of("huge")


def test_a_decoder_looks_back_no_further_than_it_learned_to() -> None:
    torch.manual_seed(0)
    config = config_of("decoder", shape_of("nano"), vocabulary=50, positions=64, seen=7)
    model = empty_model("decoder", config).eval()
    ids = torch.randint(0, 50, (1, 40))
    other = ids.clone()
    other[0, 0] = (other[0, 0] + 1) % 50
    with torch.no_grad():
        one, changed = model(ids).logits, model(other).logits
    # Two layers carry what is read seven places further each.
    assert torch.allclose(one[0, 20:], changed[0, 20:], atol=1e-5)
    assert not torch.allclose(one[0, 5], changed[0, 5], atol=1e-5)
