"""LoRA experts over one base: by hand, and as an adapter that is written, read and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from torch import nn
from torch.testing import assert_close

from adaptation.lab.experts.gates import TrainedGates
from adaptation.lab.experts.lora import added_parameters, with_experts, with_one_expert, write_experts
from adaptation.lab.experts.measuring import expert_use
from adaptation.lab.experts.recipe import ExpertRecipe
from adaptation.lab.experts.training import collate, train
from kernel.chat.adapter_trees import AdapterTrees
from kernel.chat.adapters import CONFIG_FILE, kind_of
from kernel.chat.lora_experts import (
    KIND,
    ROUTING_KEY,
    ExpertRouting,
    RoutedLinear,
    gate_shares,
    with_lora_experts,
)
from kernel.chat.paged.lora import is_plain_lora
from retrieval.errors import UsageError
from tests.adaptation.lab.experts.tiny import held_languages, languages, last_logits, shaken, tiny_llama

LENGTH = 16
RECIPE = ExpertRecipe(
    kind="lora", experts=4, rank=2, steps=8, rows=4, window=LENGTH, gate_start=1.0, rate=1e-2
)


def test_shares_of_a_gate_by_hand() -> None:
    logits = torch.tensor([[0.7, 0.2, 0.1], [0.15, 0.8, 0.05]]).log()
    assert_close(gate_shares(logits, 1), torch.tensor([[0.7, 0.0, 0.0], [0.0, 0.8, 0.0]]))
    assert_close(gate_shares(logits, 2), torch.tensor([[7 / 9, 2 / 9, 0.0], [3 / 19, 16 / 19, 0.0]]))


@pytest.mark.parametrize("chosen", [1, 2])
def test_a_layer_adds_what_the_chosen_experts_of_each_token_add(chosen: int) -> None:
    torch.manual_seed(0)
    config = with_lora_experts(LoraConfig(r=12, lora_alpha=24), ExpertRouting(4, chosen, 1.0))
    base = nn.Linear(8, 6, bias=False)
    layer: Any = RoutedLinear(base, "a", config=config, r=12, lora_alpha=24)
    nn.init.normal_(layer.lora_B["a"].weight)
    tokens = torch.randn(2, 5, 8)
    shares = gate_shares(layer.lora_gate["a"](tokens), chosen)
    down = layer.lora_A["a"].weight.view(4, 3, 8)
    up = layer.lora_B["a"].weight.view(6, 4, 3)
    expected = base(tokens)
    for expert in range(4):
        added = tokens @ down[expert].T @ up[:, expert].T
        expected = expected + 2.0 * shares[..., expert : expert + 1] * added
    assert_close(layer(tokens), expected, atol=1e-5, rtol=1e-4)
    assert ((shares > 0).sum(dim=-1) == chosen).all()


def test_it_cannot_be_merged() -> None:
    config = with_lora_experts(LoraConfig(r=4), ExpertRouting(2, 1))
    layer = RoutedLinear(nn.Linear(4, 4), "a", config=config, r=4, lora_alpha=8)
    with pytest.raises(ValueError, match="cannot be merged"):
        layer.merge()


def test_the_base_is_frozen_and_what_is_added_begins_without_effect() -> None:
    dense = tiny_llama()
    before = last_logits(dense)
    model = with_experts(dense, RECIPE)
    assert torch.equal(last_logits(model.eval()), before)
    learned = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert learned
    assert all(".lora_A." in name or ".lora_B." in name or ".lora_gate." in name for name in learned)
    assert not any("attn" in name for name in learned)


def test_a_token_has_as_many_ranks_as_plain_lora_beside_it() -> None:
    total, active = added_parameters(with_experts(tiny_llama(), RECIPE))
    plain, same = added_parameters(with_one_expert(tiny_llama(), RECIPE))
    gates = 2 * 4 * (32 + 32 + 64)
    assert plain == same
    assert active == plain + gates
    assert total == 2 * plain + gates


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.Tensor, torch.Tensor]:
    """LoRA experts that were trained and written, with what they predict, and what the base does."""
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("lora")
    dense = tiny_llama()
    before = last_logits(dense)
    model = with_experts(dense, RECIPE)
    held = [text[0] for texts in held_languages(2, LENGTH).values() for text in texts]
    trained = train(model, languages(RECIPE.steps * RECIPE.rows, LENGTH), held, RECIPE, place / "work")
    assert trained.curve[-1]["held_out"] < trained.curve[0]["loss"] + 1
    assert any("balance" in point for point in trained.curve)
    write_experts(model, "tiny", place / "experts")
    return place / "experts", last_logits(model.eval()), before


def test_what_is_written_is_read_beside_the_base(written: tuple[Path, torch.Tensor, torch.Tensor]) -> None:
    folder, expected, before = written
    assert kind_of(folder) == KIND
    assert not is_plain_lora(folder)
    trees = AdapterTrees(tiny_llama(), "tiny")
    names = [trees.load(folder, [2, 3, 4]) for _ in range(2)]
    for name in names:
        with trees.using(name) as model:
            assert_close(last_logits(model), expected, atol=1e-5, rtol=1e-4)
    with trees.using(None) as model:
        assert torch.equal(last_logits(model), before)


@pytest.mark.parametrize(
    "held", [None, {"experts": 3, "chosen": 2}, {"experts": 4, "chosen": 5}, {"experts": "4"}]
)
def test_a_file_that_does_not_say_how_tokens_are_routed_is_refused(
    written: tuple[Path, torch.Tensor, torch.Tensor], tmp_path: Path, held: Any
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    for path in written[0].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")) | {ROUTING_KEY: held}
    (folder / CONFIG_FILE).write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UsageError, match="train it again"):
        AdapterTrees(tiny_llama(), "tiny").load(folder, [2, 3, 4])


def test_its_gates_are_held_to_the_same_losses_and_counted_by_domain() -> None:
    model = with_experts(tiny_llama(), RECIPE).train()
    gates = TrainedGates(model, RECIPE)
    model(**collate(languages(4, LENGTH)))
    assert gates.added() is not None
    assert gates.means()["balance"] >= 0.9
    use = expert_use(shaken(model), held_languages(2, LENGTH))
    assert use.load.shape == (6, 4)  # three linear layers in each of two
    assert use.load.sum(axis=1) == pytest.approx([1.0] * 6)
