"""The benchmark of experts: each routing with and without the balancing loss, as a table and a picture."""

from __future__ import annotations

from pathlib import Path

from adaptation.finetuning.command import Base
from adaptation.lab.experts.recipe import ExpertRecipe
from evaluation.benchmarks.experts import draw, lines, measure
from kernel.model_store import ModelStore
from tests.adaptation.conftest import THINGS, make_base
from tests.adaptation.lab.small_models import WORDS

BASE = "SmolLM2-135M-Instruct"


def test_each_routing_is_measured_with_and_without_the_balancing_loss(
    model_store: ModelStore, tmp_path: Path
) -> None:
    folder = make_base(model_store.resolve(BASE).folder, tmp_path / BASE, words=WORDS)
    for domain in ("care", "places"):
        (tmp_path / "texts" / domain).mkdir(parents=True)
        for thing in THINGS[:3]:
            text = f"The {thing} of the {domain} is oiled and brought back to where it was. " * 2
            (tmp_path / "texts" / domain / f"{thing}.txt").write_text(text, encoding="utf-8")
    recipe = ExpertRecipe(experts=3, steps=2, rows=2, together=2, window=16, capacity=0)
    results = measure(Base(BASE, folder), tmp_path / "texts", recipe, (0.01, 0.0))
    assert [(each.routing, each.balance) for each in results] == [
        ("top1", 0.01),
        ("top1", 0.0),
        ("top2", 0.01),
        ("top2", 0.0),
    ]
    for each in results:
        assert 0 <= each.least_entropy <= each.load_entropy <= 1
        assert each.steps == [1, 2]
    table = lines(results)
    assert len(table) == 5
    assert table[1].split()[:2] == ["top1", "0.01"]
    draw(results, tmp_path / "load.png")
    assert (tmp_path / "load.png").read_bytes().startswith(b"\x89PNG")
