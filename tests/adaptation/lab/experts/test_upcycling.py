"""A dense model as a mixture: the same at first, of transformers' own kind, and read back as it was written."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    MixtralForCausalLM,
    Qwen2Config,
    Qwen2MoeForCausalLM,
    Qwen3Config,
    Qwen3MoeForCausalLM,
)

from adaptation.lab.experts.gates import blocks, with_training_gates
from adaptation.lab.experts.recipe import ExpertRecipe
from adaptation.lab.experts.upcycling import expected_parameters, expert_config, parameters, upcycled
from retrieval.errors import UsageError
from tests.adaptation.lab.experts.tiny import WORDS, last_logits, shaken, tiny_llama


@pytest.mark.parametrize(
    "recipe",
    [
        ExpertRecipe(experts=4),
        ExpertRecipe(experts=4, gate_start=2.0),
        ExpertRecipe(experts=8, parts=2),
        ExpertRecipe(experts=8, parts=2, gate_start=2.0),
    ],
)
def test_a_mixture_begins_as_what_it_was_made_of(recipe: ExpertRecipe) -> None:
    dense = tiny_llama()
    before = last_logits(dense)
    assert_close(last_logits(upcycled(dense, recipe).eval()), before, atol=1e-5, rtol=1e-4)
    assert torch.equal(last_logits(dense), before)


def test_one_expert_by_its_probability_begins_the_nearer_the_more_even_its_gate_is() -> None:
    dense = tiny_llama()
    gaps = [
        float(
            (
                last_logits(upcycled(dense, ExpertRecipe(experts=4, routing="top1", gate_start=start)).eval())
                - last_logits(dense)
            )
            .abs()
            .max()
        )
        for start in (1.0, 0.1, 0.001)
    ]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-3


def test_pieces_of_a_copy_are_the_whole_layer_and_share_their_row_of_the_gate() -> None:
    dense = tiny_llama()
    block = next(blocks(upcycled(dense, ExpertRecipe(experts=4, parts=2))))
    layer = dense.model.layers[0].mlp
    gate_up, down = block.experts.gate_up_proj, block.experts.down_proj
    assert gate_up.shape == (4, 64, 32)  # two pieces of 32 inner values, for the gate and for what is gated
    assert_close(torch.cat([gate_up[0, :32], gate_up[1, :32]]), layer.gate_proj.weight)
    assert_close(torch.cat([gate_up[0, 32:], gate_up[1, 32:]]), layer.up_proj.weight)
    assert_close(torch.cat([down[0], down[1]], dim=1), 2 * layer.down_proj.weight)
    assert torch.equal(gate_up[:2], gate_up[2:])
    rows = block.gate.weight
    assert torch.equal(rows[0], rows[1])
    assert torch.equal(rows[2], rows[3])
    assert not torch.equal(rows[1], rows[2])


@pytest.mark.parametrize(
    "recipe", [ExpertRecipe(experts=8, parts=2), ExpertRecipe(routing="top1", experts=4)]
)
def test_active_parameters_are_those_of_the_dense_model_and_the_gates(recipe: ExpertRecipe) -> None:
    dense = tiny_llama()
    mixture = upcycled(dense, recipe)
    own = sum(
        weight.numel()
        for name, weight in mixture.named_parameters()
        if "gate.weight" in name or "shared" in name
    )
    total, active = parameters(mixture)
    assert active == parameters(dense)[0] + own
    assert total == expected_parameters(dense.config, recipe) > active
    assert parameters(dense) == (sum(each.numel() for each in dense.parameters()),) * 2


_SMALL: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
}


@pytest.mark.parametrize("routing", ["top1", "top2"])
@pytest.mark.parametrize(
    ("config", "kinds"),
    [
        (LlamaConfig(**_SMALL), (Qwen2MoeForCausalLM, MixtralForCausalLM)),
        (MistralConfig(**_SMALL, sliding_window=None), (Qwen2MoeForCausalLM, MixtralForCausalLM)),
        (Qwen2Config(**_SMALL), (Qwen2MoeForCausalLM, Qwen2MoeForCausalLM)),
        (Qwen3Config(**_SMALL, head_dim=16), (Qwen3MoeForCausalLM, Qwen3MoeForCausalLM)),
    ],
    ids=["llama", "mistral", "qwen2", "qwen3"],
)
def test_what_is_written_is_a_model_of_transformers_that_predicts_the_same(
    config: Any, kinds: tuple[Any, Any], routing: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    dense: Any = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    recipe = ExpertRecipe(experts=4, routing=routing, gate_start=1.0)
    mixture = shaken(with_training_gates(upcycled(dense.eval(), recipe), recipe)).eval()
    mixture.save_pretrained(tmp_path)
    read: Any = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(read) is kinds[recipe.chosen - 1]
    assert_close(last_logits(read.eval()), last_logits(mixture), atol=1e-4, rtol=1e-3)
    assert not (tmp_path / "modeling.py").exists()
    assert "auto_map" not in (tmp_path / "config.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("routing", ["top1", "top2"])
@pytest.mark.parametrize(
    "config",
    [
        MistralConfig(**_SMALL, sliding_window=4),
        Qwen2Config(**_SMALL, use_sliding_window=True, sliding_window=4, max_window_layers=1),
    ],
    ids=["mistral", "qwen2"],
)
def test_a_mixture_looks_back_no_further_than_its_base(config: Any, routing: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    dense: Any = AutoModelForCausalLM.from_config(deepcopy(config))  # type: ignore[no-untyped-call]
    recipe = ExpertRecipe(experts=4, routing=routing, gate_start=0.001)
    upcycled(dense.eval(), recipe).save_pretrained(tmp_path)
    read: Any = AutoModelForCausalLM.from_pretrained(tmp_path)
    expected = last_logits(dense)
    assert_close(last_logits(read.eval()), expected, atol=1e-3, rtol=1e-3)
    dense.config.sliding_window = 64
    for layer in dense.model.layers:
        layer.self_attn.sliding_window = 64
    assert not torch.allclose(last_logits(dense), expected, atol=1e-3), "the window matters here"


def test_the_shared_expert_that_nobody_wants_gives_nothing_and_does_not_learn() -> None:
    mixture = upcycled(tiny_llama(), ExpertRecipe(experts=4, routing="top1"))
    for name, weight in mixture.named_parameters():
        assert weight.requires_grad == ("shared_expert" not in name)
        if "shared_expert" in name:
            assert not weight.any()


def test_gates_are_drawn_by_the_seed() -> None:
    rows = [
        next(blocks(upcycled(tiny_llama(), ExpertRecipe(experts=4, seed=seed)))).gate.weight
        for seed in (0, 0, 1)
    ]
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])


@pytest.mark.parametrize(
    ("config", "recipe", "said"),
    [
        (GPT2Config(), ExpertRecipe(), "architecture gpt2 cannot become"),
        (LlamaConfig(**_SMALL, mlp_bias=True), ExpertRecipe(), "biases .mlp_bias."),
        (LlamaConfig(**(_SMALL | {"intermediate_size": 63})), ExpertRecipe(parts=2), "63 inner values"),
        (
            Qwen3Config(**_SMALL, use_sliding_window=True, sliding_window=16, max_window_layers=1),
            ExpertRecipe(),
            "attends by a window",
        ),
    ],
    ids=["gpt2", "biases", "odd", "window"],
)
def test_a_base_that_cannot_become_a_mixture_is_told(config: Any, recipe: ExpertRecipe, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        expert_config(config, recipe)
