from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from adaptation.lab.schedules.experiments import EXPERIMENTS, chosen
from adaptation.lab.schedules.pictures import draw
from adaptation.lab.schedules.study import RUNS_FILE, Outcome, Plan, Study, study
from adaptation.lab.scratch.recipe import PretrainRecipe
from retrieval.errors import UsageError
from tests.adaptation.lab.small_corpus import tiny_recipe, write_corpus


def quiet(text: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> PretrainRecipe:
    torch.set_num_threads(1)
    return tiny_recipe(write_corpus(tmp_path_factory.mktemp("texts") / "corpus"), steps=24)


@pytest.fixture(scope="module")
def overtrained(
    recipe: PretrainRecipe, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Outcome], Study, Path]:
    folder = tmp_path_factory.mktemp("overtrained")
    names = ("no-brake", "early-stopping", "label-smoothing")
    found = study(recipe, Plan(chosen(names), share=0.2, epochs=60, find_rate=False), folder, quiet)
    return {outcome.name: outcome for outcome in found.outcomes}, found, folder


def test_what_is_learned_by_heart_is_told_by_both_detectors(
    overtrained: tuple[dict[str, Outcome], Study, Path],
) -> None:
    outcome = overtrained[0]["no-brake"]
    assert outcome.held_out > outcome.lowest[1], "the held-out loss rose again"
    assert outcome.loss < outcome.lowest[1]
    assert any("are learned by heart" in sign for sign in outcome.signs)
    assert any("over-confident" in sign for sign in outcome.signs)


def test_early_stopping_ends_sooner_with_the_best_weights(
    overtrained: tuple[dict[str, Outcome], Study, Path],
) -> None:
    free, stopped = overtrained[0]["no-brake"], overtrained[0]["early-stopping"]
    assert stopped.steps < free.steps
    assert stopped.held_out < free.held_out
    assert stopped.held_out == pytest.approx(stopped.lowest[1], abs=0.2)


def test_smoothed_labels_make_it_less_sure(overtrained: tuple[dict[str, Outcome], Study, Path]) -> None:
    free, smoothed = (overtrained[0][name].calibration for name in ("no-brake", "label-smoothing"))
    over = [each["confidence"] - each["accuracy"] for each in (free, smoothed)]
    assert over[1] < over[0]
    # What is watched is judged by sharp labels, or it could not lie beside the others.
    assert overtrained[0]["label-smoothing"].points[0]["held_out"] == pytest.approx(
        overtrained[0]["no-brake"].points[0]["held_out"], abs=1e-4
    )


def test_finished_experiments_are_not_run_again_and_are_drawn(
    recipe: PretrainRecipe, overtrained: tuple[dict[str, Outcome], Study, Path]
) -> None:
    _, found, folder = overtrained
    before = (folder / RUNS_FILE).read_bytes()
    plan = Plan(chosen(["no-brake", "label-smoothing"]), share=0.2, epochs=60, find_rate=False)
    again = study(recipe, plan, folder, quiet)
    assert (folder / RUNS_FILE).read_bytes() == before
    assert [outcome.as_dict() for outcome in again.outcomes] == [
        outcome.as_dict() for outcome in found.outcomes if outcome.name != "early-stopping"
    ]
    assert {path.name for path in draw(found, folder)} == {"overtraining.png", "calibration.png"}
    json.dumps(found.as_dict())


def test_rates_are_tried_and_each_schedule_has_its_course(recipe: PretrainRecipe, tmp_path: Path) -> None:
    found = study(recipe, Plan(chosen(["schedules"])), tmp_path, quiet)
    assert found.rates is not None
    assert found.rates["rates"] == sorted(found.rates["rates"])
    assert found.rates["rates"][0] <= found.rate <= found.rates["rates"][-1]
    courses = {outcome.name: rates_of(outcome) for outcome in found.outcomes}
    assert max(courses["constant"]) == min(courses["constant"]) == pytest.approx(found.rate)
    for name in ("cosine", "linear", "without-warm-up"):
        assert courses[name][-1] < 0.1 * max(courses[name]), name
    assert courses["cosine"] != courses["linear"]
    for outcome in found.outcomes:
        assert outcome.held_out < outcome.points[0]["held_out"], outcome.name
    assert {path.name for path in draw(found, tmp_path)} == {"rates.png", "schedules.png", "calibration.png"}


def rates_of(outcome: Outcome) -> list[Any]:
    """Return the learning rates of a curve."""
    return [point["rate"] for point in outcome.points if "rate" in point]


def test_experiments_of_a_group_differ_in_one_thing() -> None:
    free = EXPERIMENTS["no-brake"].training
    for name in ("early-stopping", "weight-decay", "dropout", "label-smoothing"):
        assert sum(EXPERIMENTS[name].training[key] != free[key] for key in free) == 1
    assert {experiment.name for experiment in chosen(["overtraining", "cosine"])} == {
        "no-brake",
        "early-stopping",
        "weight-decay",
        "dropout",
        "label-smoothing",
        "cosine",
    }


def test_an_unknown_experiment_is_told_with_those_that_there_are() -> None:
    with pytest.raises(
        UsageError, match="no experiment 'restarts'; there are overtraining, schedules, cosine"
    ):
        chosen(["restarts"])


def test_a_share_that_makes_no_step_is_told_with_what_would(recipe: PretrainRecipe, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"fewer than the 4 of a step: raise --share to 0\.\d\d"):
        study(recipe, Plan(chosen(["no-brake"]), share=0.001, find_rate=False), tmp_path, quiet)


def test_rates_are_tried_by_the_optimiser_that_learns(recipe: PretrainRecipe, tmp_path: Path) -> None:
    losses = []
    for optimiser in ("adamw", "muon"):
        trained = recipe.with_training(optimiser=optimiser, steps=2)
        found = study(trained, Plan(chosen(["cosine"])), tmp_path / optimiser, quiet)
        assert found.rates is not None
        losses.append(found.rates["losses"])
    assert losses[0][:2] == pytest.approx(losses[1][:2], rel=0.01), "they begin alike"
    assert min(losses[0]) != pytest.approx(min(losses[1]), abs=1e-6)
