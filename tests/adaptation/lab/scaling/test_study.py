from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from adaptation.lab.scaling.grid import grid, layers_of_size, weights_of
from adaptation.lab.scaling.pictures import draw
from adaptation.lab.scaling.study import RUNS_FILE, Plan, advice, study
from adaptation.lab.scratch.recipe import PretrainRecipe
from retrieval.errors import UsageError
from tests.adaptation.lab.small_corpus import tiny_recipe, write_corpus

PLAN = Plan(sizes=(16, 32), tokens=(512, 1024, 2560), resamples=10)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> PretrainRecipe:
    torch.set_num_threads(1)
    corpus = write_corpus(tmp_path_factory.mktemp("texts") / "corpus", english=48, japanese=24)
    return tiny_recipe(corpus, batch=2, dropout=0.0)


def quiet(text: str) -> None:
    """Say nothing."""


def test_a_grid_of_runs_gives_a_law_a_foretold_run_and_two_ways_to_spend(
    recipe: PretrainRecipe, tmp_path: Path
) -> None:
    found = study(recipe, PLAN, tmp_path, quiet)
    assert len(found.fitted.runs) == 6
    assert found.held_out.run.parameters > max(run.parameters for run in found.fitted.runs)
    assert found.held_out.run not in found.fitted.runs
    assert found.held_out.error < 0.5
    spent = found.spent
    assert spent.model.run.parameters > spent.start.parameters == spent.data.run.parameters
    assert spent.data.run.tokens > spent.start.tokens == spent.model.run.tokens
    assert spent.model.run.flops == pytest.approx(spent.data.run.flops, rel=0.05)
    by_size = [run.loss for run in found.fitted.runs if run.parameters == spent.start.parameters]
    assert by_size == sorted(by_size, reverse=True), "more tokens give a lower loss"
    told = json.loads(json.dumps(found.as_dict()))
    assert told["best"]["flops"] == pytest.approx(10 * max(run["flops"] for run in told["runs"]))
    assert len(advice(found)) == 4
    assert [path.stat().st_size > 5000 for path in draw(found, tmp_path)] == [True] * 3

    # What is done is not done again, and a line that a kill cut off costs its own run only.
    file = tmp_path / RUNS_FILE
    before = file.read_text()
    again = study(recipe, PLAN, tmp_path, quiet)
    assert file.read_text() == before
    assert again.as_dict() == found.as_dict()
    file.write_text(before[: before.rindex("}")])
    last = study(recipe, PLAN, tmp_path, quiet)
    assert last.spent.data.run.loss == pytest.approx(found.spent.data.run.loss, abs=1e-5)
    assert sum(line.endswith("}}") for line in file.read_text().splitlines()) == before.count("}}")


def test_a_corpus_that_is_too_small_for_the_grid_is_told_with_what_is_needed(
    recipe: PretrainRecipe, tmp_path: Path
) -> None:
    with pytest.raises(
        UsageError, match=r"too small: a run of 1,000,000 tokens, each learned once, has [\d,]+"
    ):
        study(recipe, Plan(sizes=(16, 32), tokens=(512, 1024, 1_000_000)), tmp_path, quiet)
    with pytest.raises(UsageError, match="a run of 64 tokens has less than 8 steps: give at least 512"):
        study(recipe, Plan(sizes=(16, 32), tokens=(64, 512, 1024)), tmp_path, quiet)
    assert not (tmp_path / RUNS_FILE).exists()


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (Plan(sizes=(16, 32), tokens=(512, 1024)), r"4 runs of 2 sizes .* are too few"),
        (Plan(sizes=(20, 32)), "a size is a multiple of 16, not 20"),
        (Plan(sizes=(32, 64), held_size=48), "above those of the grid, 64, not 48"),
        (Plan(sizes=(16, 256), tokens=(512, 768, 1024)), "could be spent on tokens"),
    ],
)
def test_a_plan_that_cannot_be_met_is_told(
    plan: Plan, why: str, recipe: PretrainRecipe, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=why):
        study(recipe, plan, tmp_path, quiet)


def test_runs_come_cheapest_first_and_their_weights_leave_out_the_vocabulary() -> None:
    points = grid((64, 32), (2000, 1000))
    assert [(point.hidden, point.tokens) for point in points] == [
        (32, 1000),
        (32, 2000),
        (64, 1000),
        (64, 2000),
    ]
    assert [layers_of_size(size) for size in (16, 64, 96, 256)] == [2, 2, 3, 8]
    assert weights_of(points[0], 500, 64) == weights_of(points[0], 5000, 64)
