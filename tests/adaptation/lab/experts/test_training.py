"""Mixtures in training: collapse and what prevents it, both losses, and a run that goes on after a kill."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from adaptation.lab.experts.gates import TrainedGates, with_training_gates
from adaptation.lab.experts.measuring import expert_use, text_losses
from adaptation.lab.experts.recipe import ExpertRecipe
from adaptation.lab.experts.texts import in_order
from adaptation.lab.experts.training import collate, last_whole_checkpoint, train
from adaptation.lab.experts.upcycling import upcycled
from retrieval.errors import TekioError
from tests.adaptation.lab.experts.tiny import held_languages, languages, tiny_llama

LENGTH = 16
HELD = held_languages(4, LENGTH)
WATCHED = [ids for domain in sorted(HELD) for text in HELD[domain] for ids in text]


def mixture(recipe: ExpertRecipe, *, alike: float = 0.0) -> Any:
    """A mixture that has not learned; `alike` is a direction that all words share, as they do in trained models."""
    torch.set_num_threads(1)
    dense = tiny_llama()
    with torch.no_grad():
        dense.model.embed_tokens.weight.add_(alike)
    return with_training_gates(upcycled(dense, recipe), recipe)


def learn(model: Any, recipe: ExpertRecipe, work: Path) -> Any:
    windows = in_order(languages(64, LENGTH), recipe.steps * recipe.rows, seed=recipe.seed)
    return train(model, windows, WATCHED, recipe, work)


COLLAPSING = ExpertRecipe(
    experts=4,
    routing="top1",
    capacity=0,
    gate_start=1.0,
    gate_dropout=0,
    router_z=0,
    steps=60,
    rows=8,
    window=LENGTH,
    rate=1e-3,
)
"""One expert a token, no bound, gates that begin uneven: nothing but the balancing loss brings experts into use."""


@pytest.fixture(scope="module")
def loads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[float, float]]:
    """The entropy of the load, and the perplexity, with and without the balancing loss."""
    found = {}
    for name, balance in (("with", 0.1), ("without", 0.0)):
        recipe = replace(COLLAPSING, balance=balance)
        model = mixture(recipe, alike=0.3)
        learn(model, recipe, tmp_path_factory.mktemp(name))
        found[name] = (expert_use(model, HELD).entropy, text_losses(model, HELD).perplexity)
    return found


def test_without_the_balancing_loss_experts_go_unused_and_with_it_they_do_not(
    loads: dict[str, tuple[float, float]],
) -> None:
    assert loads["with"][0] >= 0.9
    assert loads["without"][0] < 0.3


def test_both_learn(loads: dict[str, tuple[float, float]]) -> None:
    untrained = text_losses(mixture(COLLAPSING, alike=0.3), HELD).perplexity
    for _, perplexity in loads.values():
        assert perplexity < untrained


def test_what_gates_are_held_to_is_added_to_the_loss_by_its_weight() -> None:
    recipe = ExpertRecipe(experts=4, gate_dropout=0, balance=3.0, router_z=0.5)
    model = mixture(recipe).train()
    gates = TrainedGates(model, recipe)
    model(**collate(languages(4, LENGTH)))
    added = gates.added()
    told = gates.means()
    assert added is not None
    assert float(added) == pytest.approx(3.0 * told["balance"] + 0.5 * told["router_z"], rel=1e-5)
    assert told["balance"] >= 0.9
    assert gates.added() is None  # once it is taken
    model.eval()(**collate(languages(4, LENGTH)))
    assert gates.added() is None


def test_gates_learn_from_both_losses_and_from_the_words() -> None:
    for balance, router_z, words in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)):
        recipe = ExpertRecipe(experts=4, routing="top1", balance=balance, router_z=router_z, gate_start=1.0)
        model = mixture(recipe).train()
        gates = TrainedGates(model, recipe)
        loss = model(**collate(languages(4, LENGTH))).loss
        added = gates.added()
        assert added is not None
        (words * loss + added).backward()
        assert model.model.layers[0].mlp.gate.weight.grad.abs().sum() > 0


def test_experts_that_began_alike_come_apart(tmp_path: Path) -> None:
    recipe = ExpertRecipe(experts=4, steps=4, rows=4, window=LENGTH, rate=1e-3)
    model = mixture(recipe)
    learn(model, recipe, tmp_path)
    experts = model.model.layers[0].mlp.experts.down_proj
    assert not torch.allclose(experts[0], experts[1], atol=1e-6)


RESUMED = ExpertRecipe(experts=4, parts=2, steps=16, rows=4, together=2, window=LENGTH, gate_dropout=0.3)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    work = tmp_path_factory.mktemp("unbroken")
    model = mixture(RESUMED)
    return work, model, learn(model, RESUMED, work)


def test_a_run_that_goes_on_after_a_kill_ends_as_one_that_was_not_broken(
    unbroken: tuple[Path, Any, Any], tmp_path: Path
) -> None:
    work, expected, trained = unbroken
    shutil.copytree(work / "checkpoint-14", tmp_path / "checkpoint-14")
    # One that was being written when the run was killed: its weights are there, its state is not.
    (tmp_path / "checkpoint-16").mkdir()
    shutil.copy(work / "checkpoint-14" / "model.safetensors", tmp_path / "checkpoint-16")
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-14")
    model = mixture(replace(RESUMED, seed=5))  # whatever it begins with, it goes on from the checkpoint
    again = learn(model, RESUMED, tmp_path)
    held = expected.state_dict()
    assert all(torch.equal(weight, held[name]) for name, weight in model.state_dict().items())
    assert again.curve == trained.curve


def test_the_curve_tells_losses_the_load_and_what_was_dropped(unbroken: tuple[Path, Any, Any]) -> None:
    _, _, trained = unbroken
    learned = [point for point in trained.curve if "loss" in point]
    held = [point for point in trained.curve if "held_out" in point]
    assert [point["step"] for point in held] == list(range(2, 17, 2))
    assert learned[-1]["step"] == 16
    for point in learned:
        assert point["balance"] >= 0.9
        assert point["router_z"] > 0
        assert 0 < point["load_entropy"] <= 1
        assert 0 <= point["dropped"] < 1
    assert trained.tokens == 16 * 4 * LENGTH


def test_a_finished_run_that_goes_on_is_finished(unbroken: tuple[Path, Any, Any]) -> None:
    work, expected, _ = unbroken
    model = mixture(RESUMED)
    learn(model, RESUMED, work)
    held = expected.state_dict()
    assert all(torch.equal(weight, held[name]) for name, weight in model.state_dict().items())


def test_a_loss_that_is_no_number_is_told_with_what_to_do(tmp_path: Path) -> None:
    recipe = replace(RESUMED, rate=1.0, clip=1e9, steps=24, warm_up=0.0)
    model = mixture(recipe)
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(TekioError, match=r"was no number at step .*try a lower --rate"):
        learn(model, recipe, tmp_path)


def test_use_of_experts_is_the_share_of_choices_by_domain_and_layer() -> None:
    recipe = ExpertRecipe(experts=4, gate_start=1.0)
    model = mixture(recipe)
    use = expert_use(model, HELD)
    assert sorted(use.shares) == ["by one", "by three"]
    for rows in use.shares.values():
        assert rows.shape == (2, 4)
        assert rows.sum(axis=1) == pytest.approx([1.0, 1.0])
    # By hand, of one domain and layer: what the gate of that layer chooses.
    seen: list[torch.Tensor] = []
    gate = model.model.layers[1].mlp.gate
    handle = gate.register_forward_hook(lambda part, inputs, given: seen.append(given[2]))
    with torch.inference_mode():
        for text in HELD["by one"]:
            model.eval()(input_ids=torch.tensor([list(text[0])]))
    handle.remove()
    counts = torch.bincount(torch.cat(seen).reshape(-1), minlength=4).double()
    assert use.shares["by one"][1] == pytest.approx((counts / counts.sum()).tolist())


def test_losses_of_texts_are_those_of_the_model_and_leave_it_training() -> None:
    model = tiny_llama().train()
    losses = text_losses(model, HELD)
    assert model.training
    first = HELD["by one"][0][0]
    with torch.inference_mode():
        expected = model.eval()(**collate([first])).loss
    assert losses.means[0] == pytest.approx(float(expected), rel=1e-4)
    assert losses.tokens.tolist() == [LENGTH - 1] * 8
