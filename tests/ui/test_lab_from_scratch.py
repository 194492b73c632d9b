"""The commands of the lab that make models from scratch, as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.adaptation.lab.small_corpus import write_corpus
from tests.ui.conftest import Run

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
        "training.batch=2",
        "training.steps=8",
    )
    for value in ("--set", setting)
]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEKIO_MODELS", str(tmp_path / "models"))
    return write_corpus(tmp_path / "corpus")


def test_a_plan_shows_what_a_model_would_cost_and_a_training_keeps_it(
    corpus: Path, tmp_path: Path, run: Run
) -> None:
    given = ("adapt", "pretrain", "--source", str(corpus), *TINY)
    code, out, err = run(*given, "--plan")
    assert code == 0, err
    for part in ("near-duplicates", "bytes a token", "encoder-decoder", "nano (chosen)"):
        assert part in out
    code, out, err = run(*given, "--plan", "--json")
    told = json.loads(out)
    assert not (tmp_path / "models").exists()
    code, out, err = run(*given, "--name", "own", "--json")
    assert code == 0, err
    card = json.loads(out)
    assert card["parameters"] == told["chosen"]["parameters"]
    assert card["figures"]["ngram"]["perplexity"] > 1
    assert (tmp_path / "models" / "own" / "model.safetensors").is_file()
    code, out, err = run(*given, "--name", "own")
    assert (code, out) == (2, "")
    assert "there is a model 'own'" in err


def test_schedules_and_scaling_give_json_and_pictures(corpus: Path, tmp_path: Path, run: Run) -> None:
    given = ("--source", str(corpus), *TINY, "--json")
    code, out, err = run(
        *("adapt", "schedules", "--only", "cosine", "--no-find-lr", "--out", str(tmp_path / "s"), *given)
    )
    assert code == 0, err
    told = json.loads(out)
    assert [each["name"] for each in told["experiments"]] == ["cosine"]
    assert all(Path(path).is_file() for path in told["pictures"])
    grid = ("--size", "16", "--size", "32", "--tokens", "512", "--tokens", "1024", "--tokens", "2560")
    code, out, err = run("adapt", "scaling", *grid, "--resamples", "10", "--out", str(tmp_path / "l"), *given)
    assert code == 0, err
    told = json.loads(out)
    assert len(told["runs"]) == 6
    assert len(told["pictures"]) == 3


def test_a_model_without_a_name_or_texts_is_refused_in_a_line(run: Run) -> None:
    code, out, err = run("adapt", "pretrain")
    assert (code, out) == (2, "")
    assert "give the model a --name" in err
    code, _, err = run("adapt", "pretrain", "--name", "own")
    assert code == 2
    assert "the recipe names no texts" in err
