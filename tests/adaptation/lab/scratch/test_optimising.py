from __future__ import annotations

from pathlib import Path

import pytest
import torch

from adaptation.lab.scratch.architectures import KINDS, shape_of
from adaptation.lab.scratch.optimising import MuonAndAdamW, inner_matrices
from adaptation.lab.scratch.planning import check
from adaptation.lab.scratch.recipe import Architecture, Kind, PretrainRecipe, Training, changed
from adaptation.lab.scratch.training import new_model
from retrieval.errors import UsageError

VOCABULARY = 300


def model_of(kind: Kind, training: Training) -> torch.nn.Module:
    model: torch.nn.Module = new_model(
        Architecture(kind=kind, size="nano", positions=64), shape_of("nano"), VOCABULARY, training
    )
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_words_norms_and_biases_are_left_to_adamw(kind: Kind) -> None:
    training = Training(optimiser="muon", rate=0.01)
    model = model_of(kind, training)
    matrices = list(inner_matrices(model))
    assert matrices
    assert all(each.ndim == 2 and VOCABULARY not in each.shape for each in matrices)
    optimiser = MuonAndAdamW(model, training)
    muon, adamw = optimiser.param_groups
    assert len(muon["params"]) == len(matrices)
    assert len(muon["params"]) + len(adamw["params"]) == len(list(model.parameters()))
    assert muon["lr"] == adamw["lr"] == 0.01


def test_a_schedule_sets_the_rate_of_both_before_and_after_a_checkpoint() -> None:
    training = Training(optimiser="muon", rate=0.01)
    model = model_of("decoder", training)
    optimiser = MuonAndAdamW(model, training)
    held = [each.detach().clone() for each in model.parameters()]

    def moved() -> float:
        model(input_ids=torch.arange(8)[None], labels=torch.arange(8)[None]).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        found = max(
            float((new - old).detach().abs().max()) for new, old in zip(model.parameters(), held, strict=True)
        )
        for new, old in zip(model.parameters(), held, strict=True):
            new.data.copy_(old)
        return found

    assert moved() > 0.001
    for _ in range(2):
        for group in optimiser.param_groups:
            group["lr"] = 0.0
        assert moved() == 0, "neither of them moves a weight at a rate of nought"
        for group in optimiser.param_groups:
            group["lr"] = 0.01
        assert moved() > 0.001
        optimiser.load_state_dict(optimiser.state_dict())


@pytest.mark.parametrize("setting", ["training.fsdp=full_shard", "training.deepspeed=zero.json"])
def test_muon_is_refused_where_matrices_are_parted(setting: str) -> None:
    recipe = changed(PretrainRecipe(), ["training.optimiser=muon", setting])
    with pytest.raises(UsageError, match="which FSDP and DeepSpeed part"):
        check(recipe)


def test_a_checkpoint_holds_the_states_of_both(tmp_path: Path) -> None:
    training = Training(optimiser="muon", rate=0.01)
    model = model_of("decoder", training)
    optimiser = MuonAndAdamW(model, training)
    model(input_ids=torch.arange(8)[None], labels=torch.arange(8)[None]).loss.backward()
    optimiser.step()
    torch.save(optimiser.state_dict(), tmp_path / "optimiser.pt")
    fresh = MuonAndAdamW(model, training)
    fresh.load_state_dict(torch.load(tmp_path / "optimiser.pt", weights_only=True))
    one, two = optimiser.state_dict()["state"], fresh.state_dict()["state"]
    assert set(one) == set(two) == {0, 1}
    for number, part in one.items():
        assert part
        assert set(part) == set(two[number])
        for weight, state in part.items():
            for name, value in state.items():
                assert torch.equal(torch.as_tensor(value), torch.as_tensor(two[number][weight][name]))
