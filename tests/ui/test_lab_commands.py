"""The commands of the lab that make models from scratch, as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.adaptation.lab.small_corpus import write_corpus
from ui.cli import app

TINY = [
    value
    for setting in (
        "data.shortest=20",
        "data.boilerplate=1.0",
        "data.alike=0.99",
        "tokenizer.kind=bpe",
        "tokenizer.size=500",
        "model.size=nano",
        "model.positions=128",
        "training.window=32",
        "training.batch=4",
        "training.steps=8",
    )
    for value in ("--set", setting)
]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEKIO_MODELS", str(tmp_path / "models"))
    return write_corpus(tmp_path / "corpus")


def test_a_plan_shows_what_a_model_would_cost_and_a_training_keeps_it(corpus: Path, tmp_path: Path) -> None:
    run = CliRunner()
    given = ["adapt", "pretrain", "--source", str(corpus), *TINY]
    shown = run.invoke(app, [*given, "--plan"])
    assert shown.exit_code == 0, shown.output
    for part in ("near-duplicates", "bytes a token", "encoder-decoder", "nano (chosen)"):
        assert part in shown.stdout
    planned = run.invoke(app, [*given, "--plan", "--json"])
    told = json.loads(planned.stdout)
    assert not (tmp_path / "models").exists()
    trained = run.invoke(app, [*given, "--name", "own", "--json"])
    card = json.loads(trained.stdout)
    assert card["parameters"] == told["chosen"]["parameters"]
    assert card["figures"]["ngram"]["perplexity"] > 1
    assert (tmp_path / "models" / "own" / "model.safetensors").is_file()


def test_schedules_and_scaling_give_json_and_pictures(corpus: Path, tmp_path: Path) -> None:
    run = CliRunner()
    given = ["--source", str(corpus), *TINY, "--json"]
    found = run.invoke(
        app, ["adapt", "schedules", "--only", "cosine", "--no-find-lr", "--out", str(tmp_path / "s"), *given]
    )
    told = json.loads(found.stdout)
    assert [each["name"] for each in told["experiments"]] == ["cosine"]
    assert all(Path(path).is_file() for path in told["pictures"])
    grid = ["--size", "16", "--size", "32", "--tokens", "512", "--tokens", "1024", "--tokens", "2560"]
    found = run.invoke(
        app,
        [
            *["adapt", "scaling", *grid, "--resamples", "10", "--out", str(tmp_path / "l"), *given],
            *["--set", "training.batch=2"],
        ],
    )
    told = json.loads(found.stdout)
    assert len(told["runs"]) == 6
    assert len(told["pictures"]) == 3
