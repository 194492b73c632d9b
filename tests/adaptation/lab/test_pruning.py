"""Pruning takes out what counts least, leaves a plain model that is smaller, and heals it without filling the gaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForCausalLM

from adaptation.finetuning.methods import layers_of
from adaptation.lab.distilling.losses import softened_divergence
from adaptation.lab.held_rows import lab_rows
from adaptation.lab.models import read_card
from adaptation.lab.pruning.curve import sparsity_curve
from adaptation.lab.pruning.masked_lora import with_masks
from adaptation.lab.pruning.parts import drop_heads, drop_neurons, keep_layers, layers_to_keep
from adaptation.lab.pruning.plan import PrunePlan
from adaptation.lab.pruning.prune import prune_model
from adaptation.lab.pruning.seeing import Seen, linears, see
from adaptation.lab.pruning.weights import prune_weights, share_of_noughts
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.lab_models import lab_variant, list_lab_models
from kernel.model_store import ModelStore
from retrieval.errors import UsageError
from tests.adaptation.lab.small_models import logits_of, make_pairs, make_small
from tests.adaptation.trained import BASE

HEAL: dict[str, Any] = {"heal": 8, "rows": 4, "rank": 4, "rate": 1e-2, "window": 128, "read": 4}


@pytest.fixture(scope="module")
def small(model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_small(model_store.resolve(BASE).folder, tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pairs(tmp_path_factory.mktemp("sets") / "colours")


@pytest.fixture
def model(small: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(small, dtype=torch.float32)


def ones(model: Any) -> Seen:
    """Return what would be seen if all inputs were alike."""
    return Seen({name: torch.ones(part.in_features) for name, part in linears(model)}, [1.0] * 4)


def rows_of(ids: tuple[int, ...]) -> Any:
    from adaptation.finetuning.encoding import Encoded

    return [Encoded("one", ids[:2], ids[2:])]


def test_magnitude_takes_the_smallest_weights_of_each_matrix(model: Any) -> None:
    before = {name: part.weight.detach().clone() for name, part in linears(model)}
    assert prune_weights(model, 0.5) == pytest.approx(0.5, abs=0.01)
    for name, part in linears(model):
        gone = part.weight == 0
        assert before[name][gone].abs().max() <= before[name][~gone].abs().min()
        assert torch.equal(part.weight[~gone], before[name][~gone]), "what stays is as it was"


def test_by_what_is_read_a_small_weight_of_a_strong_input_stays_and_each_row_loses_as_much(
    model: Any,
) -> None:
    seen = ones(model)
    for norms in seen.norms.values():
        norms[0] = 1e6
    prune_weights(model, 0.75, seen)
    for _, part in linears(model):
        assert bool((part.weight[:, 0] != 0).all())
        assert set((part.weight == 0).sum(dim=1).tolist()) == {int(0.75 * part.in_features)}


def test_a_pattern_takes_two_of_each_four(model: Any) -> None:
    assert prune_weights(model, 0.9, ones(model), (2, 4)) == pytest.approx(0.5)
    for _, part in linears(model):
        each = (part.weight.reshape(part.out_features, -1, 4) == 0).sum(dim=-1)
        assert bool((each == 2).all())


def test_the_norms_that_are_seen_are_those_of_the_inputs(model: Any) -> None:
    seen = see(model, rows_of((5, 70, 900)))
    states: list[torch.Tensor] = []
    first = layers_of(model)[0]
    hook = first.input_layernorm.register_forward_hook(lambda module, given, out: states.append(out))
    logits_of(model, (5, 70, 900))
    hook.remove()
    assert torch.allclose(seen.norms["0.self_attn.q_proj"], states[0][0].norm(dim=0), atol=1e-4)
    assert len(seen.changes) == 4
    assert all(0 < change < 2 for change in seen.changes)


def test_a_layer_that_changes_nothing_is_the_one_that_is_taken_and_is_not_missed(model: Any) -> None:
    idle = layers_of(model)[2]
    with torch.no_grad():
        idle.self_attn.o_proj.weight.zero_()
        idle.mlp.down_proj.weight.zero_()
    before = logits_of(model)
    kept = layers_to_keep(see(model, rows_of((5, 70, 900, 33, 12))).changes, 0.25)
    assert kept == [0, 1, 3]
    keep_layers(model, kept)
    assert torch.allclose(logits_of(model), before, atol=1e-5)
    assert model.config.num_hidden_layers == 3
    assert [layer.self_attn.layer_idx for layer in layers_of(model)] == [0, 1, 2]


def test_inner_values_that_do_nothing_are_taken_and_are_not_missed(model: Any) -> None:
    with torch.no_grad():
        for layer in layers_of(model):
            layer.mlp.down_proj.weight[:, ::2] = 0
    before = logits_of(model)
    assert drop_neurons(model, 0.5, ones(model)) == 0.5
    assert torch.allclose(logits_of(model), before, atol=1e-5)
    assert model.config.intermediate_size == layers_of(model)[0].mlp.up_proj.out_features == 64


def test_heads_that_do_nothing_are_taken_with_their_keys_and_are_not_missed(model: Any) -> None:
    with torch.no_grad():
        for layer in layers_of(model):
            layer.self_attn.o_proj.weight[:, :32] = 0  # two queries of 16 values, which share a key
    before = logits_of(model)
    assert drop_heads(model, 0.5, ones(model)) == 0.5
    assert torch.allclose(logits_of(model), before, atol=1e-5)
    assert (model.config.num_attention_heads, model.config.num_key_value_heads) == (2, 1)


def test_queries_of_one_key_are_taken_apart(small: Path, model_store: ModelStore, tmp_path: Path) -> None:
    folder = make_small(model_store.resolve(BASE).folder, tmp_path / "one-key", num_key_value_heads=1)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        for layer in layers_of(model):
            layer.self_attn.o_proj.weight[:, 16:48] = 0
    before = logits_of(model)
    assert drop_heads(model, 0.4, ones(model)) == 0.5, "three heads cannot part 64 states"
    assert (model.config.num_attention_heads, model.config.num_key_value_heads) == (2, 1)
    assert torch.allclose(logits_of(model), before, atol=1e-5)


@pytest.mark.parametrize("kind", ["layers", "neurons", "heads"])
def test_the_kept_model_is_smaller_loads_as_a_plain_one_and_is_a_variant(
    small: Path, data: Path, tmp_path: Path, kind: Any
) -> None:
    models = tmp_path / "models"
    card = prune_model(small, models / kind, PrunePlan(data, kind, 0.5, read=4, window=128))
    whole = AutoModelForCausalLM.from_pretrained(small)
    pruned = AutoModelForCausalLM.from_pretrained(models / kind)
    assert card == read_card(models / kind)
    assert card.parameters == sum(each.numel() for each in pruned.parameters())
    assert card.parameters < sum(each.numel() for each in whole.parameters())
    assert card.bytes < (small / "model.safetensors").stat().st_size
    assert card.figures["taken"] == 0.5
    assert card.figures["held_out"]["change"]["rows"] >= 2
    assert list_lab_models(models) == [kind]
    assert lab_variant(kind, models / kind).engine == "local"
    assert not [path for path in models.iterdir() if path.name.startswith(".")]


def test_healing_lowers_the_loss_and_leaves_the_gaps(small: Path, data: Path, tmp_path: Path) -> None:
    card = prune_model(small, tmp_path / "healed", PrunePlan(data, "wanda", 0.5, **HEAL))
    held = card.figures["held_out"]
    assert held["healed"]["loss"] < held["pruned"]["loss"]
    assert held["healing"]["difference_interval"][1] < 0
    made = AutoModelForCausalLM.from_pretrained(tmp_path / "healed", dtype=torch.float32)
    assert share_of_noughts(made) == pytest.approx(0.5, abs=0.01)
    assert card.figures["noughts"] == pytest.approx(share_of_noughts(made))


def test_what_is_healed_by_the_whole_model_comes_nearer_to_it_than_by_the_rows_alone(
    small: Path, data: Path, tmp_path: Path
) -> None:
    ids = lab_rows(ChatTokenizer(small), data, "held_out", window=128)[0].prompt
    told = logits_of(AutoModelForCausalLM.from_pretrained(small, dtype=torch.float32), ids)

    def apart(name: str, mixing: float) -> float:
        prune_model(small, tmp_path / name, PrunePlan(data, "layers", 0.5, mixing=mixing, **HEAL))
        found = logits_of(AutoModelForCausalLM.from_pretrained(tmp_path / name, dtype=torch.float32), ids)
        return float(softened_divergence(found, told, 1.0))

    assert apart("taught", 1.0) < apart("alone", 0.0)


def test_what_was_trained_over_gaps_is_what_is_merged(model: Any) -> None:
    from peft import LoraConfig, get_peft_model

    prune_weights(model, 0.5)
    config = with_masks(LoraConfig(r=4, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM"))
    adapted: Any = get_peft_model(model, config)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                nn.init.normal_(weight)
    before = logits_of(adapted)
    merged = adapted.merge_and_unload()
    assert torch.allclose(logits_of(merged), before, atol=1e-3)
    assert share_of_noughts(merged) == pytest.approx(0.5, abs=0.01)


def test_a_healing_that_was_killed_goes_on_to_the_same_weights(
    small: Path, data: Path, tmp_path: Path
) -> None:
    plan = PrunePlan(data, "layers", 0.5, **HEAL)

    def kill(progress: Any) -> None:
        if progress.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune_model(small, tmp_path / "broken", plan, show=kill)
    assert not (tmp_path / "broken").exists()
    with pytest.raises(UsageError, match="--resume goes on with it"):
        prune_model(small, tmp_path / "broken", plan)
    with pytest.raises(UsageError, match="another model, set or numbers"):
        prune_model(small, tmp_path / "broken", PrunePlan(data, "layers", 0.25, **HEAL), resume=True)
    prune_model(small, tmp_path / "broken", plan, resume=True)
    prune_model(small, tmp_path / "whole", plan)
    broken, whole = (load_file(tmp_path / name / "model.safetensors") for name in ("broken", "whole"))
    assert all(torch.equal(broken[name], weight) for name, weight in whole.items())


def test_a_curve_tells_each_sparsity_with_what_was_taken(small: Path, data: Path) -> None:
    points = sparsity_curve(small, PrunePlan(data, "magnitude", window=128), [0.9, 0.3])
    assert [point.share for point in points] == [0.0, 0.3, 0.9]
    assert [point.taken for point in points] == pytest.approx([0.0, 0.3, 0.9], abs=0.01)
    assert points[0].parameters > points[1].parameters > points[2].parameters


def test_a_curve_may_be_healed(small: Path, data: Path) -> None:
    plan = PrunePlan(data, "neurons", **(HEAL | {"heal": 4}))
    whole, half = sparsity_curve(small, plan, [0.5])
    assert whole.healed is None
    assert half.healed is not None
    assert half.healed < half.perplexity


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"share": 0.0}, "above 0 and below 1"),
        ({"share": 1.0}, "above 0 and below 1"),
        ({"pattern": "4:2"}, "n below m"),
        ({"pattern": "2:4", "kind": "layers"}, "single weights"),
        ({"kind": "tails"}, "no way to prune 'tails'"),
        ({"heal": -1}, "--heal is at least 0"),
        ({"mixing": -1.0}, "--mixing is above 0 and at most 1, not -1: 0 asks no teacher"),
    ],
)
def test_a_number_out_of_range_is_told_by_its_option(
    small: Path, data: Path, tmp_path: Path, chosen: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        prune_model(small, tmp_path / "never", PrunePlan(data, **chosen))
    assert not list(tmp_path.iterdir())


def test_a_taken_name_and_a_folder_without_a_model_are_told(small: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(UsageError, match="there is a model 'taken'"):
        prune_model(small, tmp_path / "taken", PrunePlan(data))
    with pytest.raises(UsageError, match="there is no model in"):
        prune_model(tmp_path / "taken", tmp_path / "new", PrunePlan(data))
