from __future__ import annotations

import numpy as np
import pytest

from adaptation.lab.scaling.isoflops import lines
from adaptation.lab.scaling.law import FLOPS, Fitted, Law, Run, fit
from retrieval.errors import UsageError

TRUE = Law(a=400.0, b=410.0, floor=1.69, alpha=0.34, beta=0.28)


def runs_of(law: Law, *, noise: float, seed: int = 0) -> list[Run]:
    """Return runs of a law with relative noise."""
    draw = np.random.default_rng(seed)
    return [
        Run(size, tokens, law.loss(size, tokens) * float(np.exp(noise * draw.standard_normal())))
        for size in (10_000, 40_000, 160_000, 640_000)
        for tokens in (100_000, 400_000, 1_600_000, 6_400_000)
    ]


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit(runs_of(TRUE, noise=0.003), resamples=40)


def test_a_law_is_found_again_from_runs_without_noise() -> None:
    found = fit(runs_of(TRUE, noise=0.0), resamples=10).law
    assert found.alpha == pytest.approx(TRUE.alpha, rel=0.05)
    assert found.beta == pytest.approx(TRUE.beta, rel=0.05)
    for size, tokens in ((20_000, 200_000), (5_000_000, 50_000_000)):
        assert found.loss(size, tokens) == pytest.approx(TRUE.loss(size, tokens), rel=0.005)


def test_a_larger_run_is_foretold_within_its_band(fitted: Fitted) -> None:
    loss, low, high = fitted.loss(1_300_000, 12_800_000)
    assert low < loss < high
    assert loss == pytest.approx(TRUE.loss(1_300_000, 12_800_000), rel=0.03)


def test_a_run_that_went_wrong_pulls_little() -> None:
    runs = runs_of(TRUE, noise=0.001)
    runs[5] = Run(runs[5].parameters, runs[5].tokens, 3 * runs[5].loss)
    found = fit(runs, resamples=10).law
    assert found.loss(1_300_000, 12_800_000) == pytest.approx(TRUE.loss(1_300_000, 12_800_000), rel=0.03)


@pytest.mark.parametrize("flops", [1e12, 1e15, 1e21])
def test_the_best_size_is_where_a_budget_gives_the_lowest_loss(flops: float) -> None:
    parameters, tokens = TRUE.best(flops)
    assert FLOPS * parameters * tokens == pytest.approx(flops)
    for factor in (0.7, 1.4):
        assert TRUE.loss(parameters, tokens) < TRUE.loss(parameters * factor, tokens / factor)


def test_the_best_size_has_a_band_that_grows_with_the_distance(fitted: Fitted) -> None:
    near, far = fitted.best(1e11), fitted.best(1e17)
    for told in (near, far):
        low, high = told["parameters_band"]
        assert low < told["parameters"] < high
    assert (
        far["parameters_band"][1] / far["parameters_band"][0]
        > near["parameters_band"][1] / near["parameters_band"][0]
    )


def test_runs_of_one_budget_make_a_line_with_its_bottom(fitted: Fitted) -> None:
    found = lines(fitted)
    line = max(found, key=lambda each: len(each.measured))
    assert len(line.measured) == 4
    best, _ = fitted.law.best(line.flops)
    sizes, losses = zip(*line.points, strict=True)
    assert min(losses) == pytest.approx(fitted.law.loss(best, line.flops / (FLOPS * best)), rel=1e-3)
    assert sizes[0] < best < sizes[-1]
    assert line.lowest is not None
    assert line.lowest == pytest.approx(best, rel=1.0)


def test_runs_that_are_too_few_or_too_alike_are_refused() -> None:
    runs = runs_of(TRUE, noise=0.0)
    with pytest.raises(UsageError, match=r"5 runs .* too few .* at least 6 runs"):
        fit(runs[:5])
    with pytest.raises(UsageError, match="of 1 sizes"):
        fit(runs[:4] * 2)


def test_the_same_seed_gives_the_same_bands() -> None:
    runs = runs_of(TRUE, noise=0.01)
    assert fit(runs, resamples=10, seed=3).bands() == fit(runs, resamples=10, seed=3).bands()
