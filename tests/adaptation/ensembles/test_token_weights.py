"""Weights of a mixture fitted to reference answers: what is known to be best is found, and measured honestly."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from adaptation.ensembles.mixing_fit import Expected, expected, fit_weights, losses
from adaptation.ensembles.token_fit import ReadRow, fit_token_weights
from adaptation.ensembles.token_weights import HeldOut, ensemble_of_tokens, fit_token_ensemble
from kernel.app import Tekio
from kernel.chat.paged.mixing import MixRule, mixed
from kernel.ensembles.fitted import fitted_place
from kernel.ensembles.kinds import Kind
from kernel.ensembles.weights import read_weights
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import UsageError
from tests.kernel.paged.random_adapter import make_adapter

RULES: tuple[MixRule, ...] = ("linear", "log_linear")
UNIFORM = np.array([0.5, 0.5])


def drawn(
    rule: MixRule, weights: list[float], *, tokens: int, seed: int = 0, vocabulary: int = 40
) -> Expected:
    """Draw tokens from a mixture of two random members."""
    random = np.random.default_rng(seed)
    logits = [random.normal(0, 2, (tokens, vocabulary)).astype(np.float32) for _ in weights]
    ids = []
    for place in range(tokens):
        both = mixed(rule, [max(each, 1e-9) for each in weights], [each[place] for each in logits])
        shares = np.exp(both - both.max())
        ids.append(int(random.choice(vocabulary, p=shares / shares.sum())))
    return expected(rule, ids, logits)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("true", [0.8, 0.3])
def test_the_weights_that_answers_were_drawn_from_are_found(rule: MixRule, true: float) -> None:
    rows = [drawn(rule, [true, 1 - true], tokens=400, seed=seed) for seed in range(10)]
    found = fit_weights(rule, rows, UNIFORM, 1.0)
    assert found.sum() == pytest.approx(1)
    assert found[0] == pytest.approx(true, abs=0.06)
    best = sum(losses(rule, found, row).sum() for row in rows)
    for other in (0.05, true - 0.15, true + 0.15, 0.95):
        assert best <= sum(losses(rule, np.array([other, 1 - other]), row).sum() for row in rows)


@pytest.mark.parametrize("rule", RULES)
def test_few_rows_are_held_to_the_weights_of_all_and_many_are_not(rule: MixRule) -> None:
    prior = np.array([0.2, 0.8])
    assert fit_weights(rule, [], prior, 100.0).tolist() == prior.tolist()
    few = fit_weights(rule, [drawn(rule, [1, 0], tokens=8)], prior, 100.0)
    many = fit_weights(rule, [drawn(rule, [1, 0], tokens=3000)], prior, 100.0)
    assert abs(few[0] - 0.2) < 0.2
    assert many[0] > 0.85


def test_the_loss_over_likely_tokens_is_that_over_all_of_them() -> None:
    random = np.random.default_rng(3)
    logits = [random.normal(0, 4, (5, 5000)).astype(np.float32) for _ in range(2)]
    ids = [1, 20, 300, 4000, 4999]
    weights = np.array([0.3, 0.7])
    found = losses("log_linear", weights, expected("log_linear", ids, logits))
    for place, token in enumerate(ids):
        both = mixed("log_linear", weights.tolist(), [each[place] for each in logits])
        whole = np.log(np.exp(both - both.max()).sum()) + both.max() - both[token]
        assert found[place] == pytest.approx(whole, rel=0.02)
        assert found[place] >= whole - 1e-3, "never better than it is"


def test_a_kind_gets_weights_of_its_own_where_these_are_worth_it() -> None:
    best: dict[Kind, float] = {"name": 0.05, "number": 0.95}
    rows = [
        ReadRow(
            f"d{number % 12}", kind, drawn("linear", [weight, 1 - weight], tokens=60, seed=2 * number + place)
        )
        for number in range(24)
        for place, (kind, weight) in enumerate(best.items())
    ]
    fit = fit_token_weights("linear", ["base", "tuned"], rows)
    assert fit.kinds["number"][0] > 0.75
    assert fit.kinds["name"][0] < 0.25
    assert fit.figures["kept"] == "fitted by kind"
    means = {name: each["mean"] for name, each in fit.figures["losses"].items()}
    assert means["fitted by kind"] < min(means["uniform"], means["base"], means["tuned"])
    assert fit.figures["intervals_over"] == "documents"
    text = "\n".join(fit.lines(["base", "tuned"]))
    for said in ("uniform", "tuned", "for number: base 0.7", "fitted by kind less uniform", "95 % intervals"):
        assert said in text


def test_too_few_answers_or_one_document_are_refused() -> None:
    one = drawn("linear", [1, 0], tokens=5)
    with pytest.raises(UsageError, match="9 answers of 3 documents are too few"):
        fit_token_weights("linear", ["a", "b"], [ReadRow(f"d{n % 3}", "name", one) for n in range(9)])
    with pytest.raises(UsageError, match="20 answers of 1 documents are too few"):
        fit_token_weights("linear", ["a", "b"], [ReadRow("d", "name", one) for _ in range(20)])


@pytest.mark.parametrize("rule", RULES)
def test_an_ensemble_of_the_settings_is_fitted_and_its_weights_are_read_back(
    rule: MixRule, model_store: ModelStore, small_base: Path, tmp_path: Path
) -> None:
    make_adapter(small_base, tmp_path / "adapters" / "loud")
    settings = Settings(
        index=tmp_path / "index",
        adapters=tmp_path / "adapters",
        cache=model_store.cache,
        generator=str(small_base),
        ensembles={"mix": {"members": ["base", "loud"], "rule": rule}, "vote": {"members": ["base", "loud"]}},
        kv_cache_mb=16,
    )
    tekio = Tekio(settings)
    rows = [
        HeldOut(
            f"How many kilns has workshop {number}?",
            f"It has {number} kilns.",
            f"d{number % 4}",
            messages=({"role": "user", "content": f"Workshop {number} has {number} kilns. How many?"},),
        )
        for number in range(12)
    ]
    said: list[str] = []
    made, place = asyncio.run(fit_token_ensemble(tekio, "mix", rows, say=said.append))
    told = settings.ensembles["mix"]
    assert place == fitted_place("mix", told, settings.adapters)
    assert read_weights("mix", told, place, made.revisions) == made
    assert sum(made.weights) == pytest.approx(1, abs=1e-3)
    means = {name: each["mean"] for name, each in made.figures["losses"].items()}
    assert means["fitted"] < max(means["base"], means["loud"])
    assert made.figures["best_member"] in ("base", "loud")
    assert any("weights: base" in line for line in said)
    assert tekio._engine is None, "no model is left loaded"
    with pytest.raises(
        UsageError, match="there is no ensemble 'nobody' in the settings; there are: mix, vote"
    ):
        ensemble_of_tokens(tekio, "nobody")
    with pytest.raises(UsageError, match="the rule majority, which mixes no tokens"):
        ensemble_of_tokens(tekio, "vote")
    tekio.close()
