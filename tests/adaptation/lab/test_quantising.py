"""A model in fewer bits is smaller, nearly as good, and the same however its making was interrupted."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

from adaptation.lab.distilling.losses import softened_divergence
from adaptation.lab.figures import measure_model
from adaptation.lab.held_rows import lab_rows
from adaptation.lab.models import read_card
from adaptation.lab.quantising.calibrating import find_input_scales, smooth
from adaptation.lab.quantising.correcting import correct
from adaptation.lab.quantising.methods import METHODS
from adaptation.lab.quantising.plan import QuantisePlan
from adaptation.lab.quantising.quantise import quantise_model
from adaptation.lab.quantising.rounding import (
    DOWN,
    UP,
    RoundedLinear,
    layers_in_four_bits,
    round_no_more,
    round_while_learning,
    rounded,
)
from adaptation.lab.quantising.writing import write_quantised
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.quantised import CODES, LOWS, SCALES, decoded, form_of, in_four_bits, load_causal
from kernel.lab_models import lab_variant, list_lab_models
from kernel.model_store import ModelStore
from retrieval.errors import UsageError
from tests.adaptation.lab.small_models import cut_base, logits_of, make_pairs, make_small
from tests.adaptation.trained import BASE, write_set

QAT: dict[str, Any] = {"method": "qat", "steps": 8, "rows": 8, "rate": 1e-3, "window": 128}


@pytest.fixture(scope="module")
def small(model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_small(model_store.resolve(BASE).folder, tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pairs(tmp_path_factory.mktemp("sets") / "colours")


def plan_of(method: str, data: Path) -> QuantisePlan:
    return QuantisePlan(method=method, data=data, steps=2, calibration=8, window=128, rows=8, rate=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_makes_a_smaller_variant_that_says_how_it_was_made(
    small: Path, data: Path, tmp_path: Path, method: str
) -> None:
    out = quantise_model(small, tmp_path / method, plan_of(method, data), base="small")
    card = read_card(out)
    whole = AutoModelForCausalLM.from_pretrained(small)
    assert card.parameters == sum(each.numel() for each in whole.parameters())
    assert card.method == f"quantise {method}"
    assert card.recipe["method"] == method
    assert form_of(out) == METHODS[method].form
    assert card.bytes <= 0.30 * 4 * card.parameters
    assert list_lab_models(tmp_path) == [method]
    assert lab_variant(method, out).precision == METHODS[method].form.precision
    assert (out / "chat_template.jinja").is_file()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_layers_in_four_bits_take_a_fifth_of_float32_and_words_have_eight(
    small: Path, tmp_path: Path
) -> None:
    out = quantise_model(small, tmp_path / "four", QuantisePlan(method="int4"))
    held = load_file(out / "model.safetensors")
    assert held["model.embed_tokens.codes"].dtype == np.int8
    layers = {name: each for name, each in held.items() if "_proj." in name}
    count = sum(each.size * 2 for name, each in layers.items() if name.endswith(CODES))
    assert sum(each.nbytes for each in layers.values()) <= 0.20 * 4 * count
    assert {name.rpartition(".")[0] + CODES in layers for name in layers} == {True}
    assert held["model.norm.weight"].dtype == np.float32


@pytest.fixture(scope="module")
def learned(small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A model that has learned, cut short, and the loss of a token by it."""
    folder = cut_base(small_base, tmp_path_factory.mktemp("models") / "learned")
    return folder, loss_of(folder)


def loss_of(folder: Path) -> float:
    texts = [
        "The market opened before the fog had lifted from the river.",
        "Bread rises because yeast eats sugar.",
    ]
    found = measure_model(folder, texts, apart=False, new_tokens=1, threads=1).perplexity
    assert found is not None
    return math.log(found)


@pytest.mark.parametrize(("method", "most"), [("dynamic", 0.1), ("int8", 0.1), ("int4", 0.5)])
def test_the_loss_of_a_token_stays_nearly_what_it_was(
    learned: tuple[Path, float], tmp_path: Path, method: str, most: float
) -> None:
    folder, before = learned
    out = quantise_model(folder, tmp_path / method, QuantisePlan(method=method))
    assert loss_of(out) == pytest.approx(before, abs=most), "of some 20 nats, as the model is cut short"


def test_the_same_plan_gives_the_same_file(small: Path, data: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        quantise_model(small, tmp_path / name, plan_of("static", data))
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


def test_weights_are_rounded_while_learning_as_they_are_held_later() -> None:
    torch.manual_seed(0)
    weight = torch.randn(8, 64) * 0.1
    parts = in_four_bits(weight.numpy())
    wanted = decoded(parts[CODES], parts[SCALES], parts[LOWS])
    np.testing.assert_allclose(rounded(weight).numpy(), wanted, atol=1e-7)


def test_gradients_go_through_the_rounding_and_the_state_is_that_of_the_plain_layer(small: Path) -> None:
    model: Any = AutoModelForCausalLM.from_pretrained(small, dtype=torch.float32)
    names, plain = list(model.state_dict()), logits_of(model)
    assert round_while_learning(model) == len(list(layers_in_four_bits(model))) == 28
    assert list(model.state_dict()) == names
    assert not torch.allclose(logits_of(model), plain)
    layer = model.model.layers[0].mlp.up_proj
    assert isinstance(layer, RoundedLinear)
    layer(torch.ones(1, 64)).sum().backward()
    assert layer.weight.grad is not None
    assert torch.equal(layer.weight.grad, torch.ones_like(layer.weight))
    assert not isinstance(model.get_output_embeddings(), RoundedLinear)
    round_no_more(model)
    assert torch.equal(logits_of(model), plain)


def test_learning_with_rounded_weights_lowers_the_held_out_loss_of_the_rounded_model(
    small: Path, data: Path, tmp_path: Path
) -> None:
    out = quantise_model(small, tmp_path / "qat", QuantisePlan(data=data, **QAT | {"steps": 16}))
    facts = read_card(out).recipe["facts"]
    assert facts["held_out"] < facts["held_out_before"]
    assert facts["layers"] == 28


def test_what_learns_of_the_model_as_it_was_comes_nearer_to_it_than_rounding_does(
    small: Path, data: Path, tmp_path: Path
) -> None:
    ids = lab_rows(ChatTokenizer(small), data, "held_out", window=128)[0].prompt
    told = logits_of(load_causal(small, dtype=torch.float32), ids)

    def apart(method: str, **chosen: Any) -> float:
        plan = replace(plan_of(method, data), **chosen)
        out = quantise_model(small, tmp_path / f"{method}{len(list(tmp_path.iterdir()))}", plan)
        found = logits_of(load_causal(out, dtype=torch.float32), ids)
        return float(softened_divergence(found, told, 1.0))

    taught = apart("qat", mixing=1.0, rate=1e-4, steps=16)
    assert taught < apart("qat", mixing=0.0, rate=1e-4, steps=16)
    assert taught < apart("int4")


@pytest.mark.parametrize("rank", [0, 8])
def test_learning_that_was_killed_goes_on_to_the_same_file(
    small: Path, data: Path, tmp_path: Path, rank: int
) -> None:
    plan = QuantisePlan(data=data, rank=rank, **QAT)

    def kill(progress: Any) -> None:
        if progress.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantise_model(small, tmp_path / "broken", plan, show=kill)
    assert not (tmp_path / "broken").exists()
    with pytest.raises(UsageError, match="--resume goes on with it"):
        quantise_model(small, tmp_path / "broken", plan)
    with pytest.raises(UsageError, match="another model, set or numbers"):
        quantise_model(
            small, tmp_path / "broken", QuantisePlan(data=data, **QAT | {"rate": 1e-4}), resume=True
        )
    quantise_model(small, tmp_path / "broken", plan, resume=True)
    quantise_model(small, tmp_path / "whole", plan)
    broken, whole = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("broken", "whole"))
    assert broken == whole


class OneLayer(torch.nn.Module):
    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self.layer = layer

    def get_output_embeddings(self) -> None:
        return None


def test_a_change_of_low_rank_outlives_four_bits_by_a_correction_alone() -> None:
    """As of a base that came from 4 bits, with an adapter in its weights: less than half a step, and of low rank."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(256, 256, bias=False)
    model = OneLayer(layer)
    with torch.no_grad():
        base = rounded(layer.weight.detach())
        grouped = base.reshape(256, -1, 32)
        step = (grouped.amax(-1) - grouped.amin(-1)).mean() / 15
        change = torch.randn(256, 4) @ torch.randn(4, 256)
        change *= 0.1 * step / change.abs().mean()
        layer.weight.copy_(base + change)
        whole = layer.weight.clone()
    alone = float((rounded(whole) - whole).norm())
    left = correct(model, 4)
    with torch.no_grad():
        held = rounded(layer.weight) + layer.get_parameter(UP).T @ layer.get_parameter(DOWN)
    assert float((held - whole).norm()) == pytest.approx(left * alone, rel=1e-3)
    assert left < 0.05
    assert alone > 0.9 * float(change.norm()), "rounding alone gives the base back"


def test_what_is_corrected_is_nearer_to_the_model_and_learns_on(
    small: Path, data: Path, tmp_path: Path
) -> None:
    ids = lab_rows(ChatTokenizer(small), data, "held_out", window=128)[0].prompt
    told = logits_of(load_causal(small, dtype=torch.float32), ids)

    def apart(folder: Path) -> float:
        return float(softened_divergence(logits_of(load_causal(folder, dtype=torch.float32), ids), told, 1.0))

    alone = quantise_model(small, tmp_path / "alone", QuantisePlan(method="int4"))
    corrected = quantise_model(small, tmp_path / "corrected", QuantisePlan(method="int4", rank=16))
    assert read_card(corrected).recipe["facts"]["error_left"] < 0.8
    assert read_card(corrected).parameters == read_card(alone).parameters
    assert form_of(corrected) == replace(METHODS["int4"].form, rank=16)
    assert apart(corrected) < apart(alone)
    learned = quantise_model(small, tmp_path / "learned", QuantisePlan(data=data, **QAT | {"rank": 16}))
    facts = read_card(learned).recipe["facts"]
    assert facts["held_out"] < facts["held_out_before"]
    assert facts["error_left"] < 0.8
    first, second = (load_file(each / "model.safetensors") for each in (corrected, learned))
    name = "model.layers.0.mlp.up_proj.correction_up"
    assert first[name].dtype == np.int8
    assert not np.array_equal(first[name], second[name]), "what corrects learns too"


def test_corrected_weights_that_learn_are_written_as_they_were_computed(small: Path, tmp_path: Path) -> None:
    model: Any = load_causal(small, dtype=torch.float32)
    correct(model, 8)
    round_while_learning(model)
    (tmp_path / "out").mkdir()
    write_quantised(model, small, tmp_path / "out", replace(METHODS["int4"].form, rank=8))
    held = load_causal(tmp_path / "out", dtype=torch.float32)
    found = logits_of(held)
    # The words are in 8 bits in the file, and whole while it learns.
    model.get_input_embeddings().weight.data = held.get_input_embeddings().weight.data
    assert torch.allclose(found, logits_of(model), atol=1e-3)


def test_smoothing_changes_nothing_that_is_computed_and_evens_the_inputs_out(small: Path) -> None:
    model: Any = AutoModelForCausalLM.from_pretrained(small, dtype=torch.float32)
    with torch.no_grad():  # one channel that is far greater than the others, as large models have
        for layer in model.model.layers:
            layer.input_layernorm.weight[3] = 80.0
            layer.self_attn.q_proj.weight[:, 3] /= 80
            layer.self_attn.k_proj.weight[:, 3] /= 80
            layer.self_attn.v_proj.weight[:, 3] /= 80
    rows = [[5, 70, 900, 33, 12], [17, 4, 2000]]
    before, rough = logits_of(model), find_input_scales(model, rows)
    assert smooth(model, rows, 0.5) == 12, "three inputs of each layer"
    assert torch.allclose(logits_of(model), before, atol=1e-3)
    after = find_input_scales(model, rows)
    name = "model.layers.0.self_attn.q_proj"
    assert after[name] < rough[name] / 4
    assert smooth(model, rows, 0.0) == 0


def test_the_range_of_an_input_is_cut_where_that_loses_least() -> None:
    from adaptation.lab.quantising.calibrating import _least_lossy

    even = torch.linspace(-1, 1, 1001)
    assert _least_lossy(even) == pytest.approx(1 / 127)
    lonely = torch.cat([torch.linspace(-1, 1, 100_001), torch.tensor([1.6])])
    assert _least_lossy(lonely) < 1.6 / 127


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"method": "int2"}, "no method 'int2' to quantise by; there are dynamic, static, int8, int4, qat"),
        ({"method": "static"}, "the method static needs rows to look at: give a training set by --data"),
        ({"method": "qat"}, "the method qat needs rows"),
        ({"calibration": 2}, "--calibration is at least 4 rows"),
        ({"smoothing": 1.5}, "--smoothing is from 0 to 1"),
        ({"method": "int4", "rank": -1}, "--rank is from 0 to 1,024, not -1"),
        ({"method": "int8", "rank": 8}, "--rank belongs to int4 and qat: int8 has 8 bits"),
        (
            {"method": "int4", "rank": 64},
            "--rank 64 corrects nothing: the layer .*q_proj is 64 wide, give less",
        ),
        ({"rate": 0.0}, "--rate is above 0"),
        ({"window": 8}, "--window is at least 64"),
        ({"mixing": 2.0}, "--mixing is above 0 and at most 1, not 2: 0 asks no teacher"),
    ],
)
def test_a_choice_out_of_range_is_told_by_its_option(
    small: Path, tmp_path: Path, chosen: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        quantise_model(small, tmp_path / "never", QuantisePlan(**chosen))
    assert not list(tmp_path.iterdir())


def test_a_set_that_is_too_small_is_told_with_how_much_is_needed(small: Path, tmp_path: Path) -> None:
    few = write_set(tmp_path / "few", [(f"What is {number}?", f"It is {number}.") for number in range(3)])
    with pytest.raises(UsageError, match=r"has 3 rows that fit --window 128, 4 are needed"):
        quantise_model(small, tmp_path / "never", plan_of("static", few))


def test_a_model_in_few_bits_is_not_rounded_again_nor_resumed(small: Path, tmp_path: Path) -> None:
    out = quantise_model(small, tmp_path / "once", QuantisePlan(method="int8"))
    with pytest.raises(UsageError, match="held in few bits already"):
        quantise_model(out, tmp_path / "twice", QuantisePlan(method="int4"))
    with pytest.raises(UsageError, match="--resume belongs to the method qat"):
        quantise_model(small, tmp_path / "other", QuantisePlan(method="int8"), resume=True)
    with pytest.raises(UsageError, match="there is a model 'once'"):
        quantise_model(small, tmp_path / "once", QuantisePlan(method="int8"))


def test_an_adapter_is_trained_over_rounded_weights(small: Path, data: Path, tmp_path: Path) -> None:
    from adaptation.finetuning.building import load_base
    from tests.adaptation.trained import train_on

    out = quantise_model(small, tmp_path / "four", QuantisePlan(method="int4"))
    base = load_base(out, "qlora")
    held = load_causal(out, dtype=torch.float32)
    assert torch.allclose(logits_of(base.float()), logits_of(held), atol=0.05), "it may be in bfloat16"
    adapter = train_on(
        out,
        tmp_path / "adapters" / "over",
        [("Which?", "Red."), ("What?", "Blue.")],
        method="qlora",
        rate=1e-2,
    )
    assert json.loads((adapter / "adapter_config.json").read_text("utf-8"))["peft_type"] == "LORA"
