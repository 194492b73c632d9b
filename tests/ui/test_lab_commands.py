"""`tekio adapt quantise` and `compress`: what a person is told, and that the result answers."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings
from tests.adaptation.conftest import make_embedder, write_documents
from tests.ui.conftest import Run


@pytest.fixture(scope="module")
def place(model_store: ModelStore, small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index of small documents over a small base."""
    folder = tmp_path_factory.mktemp("lab")
    embedder = make_embedder(tmp_path_factory.mktemp("models") / "tiny")
    (folder / "tekio.toml").write_text(
        f'embedder = "{embedder}"\nembedder_engine = "torch"\nchunk_tokens = 96\ncache = "{model_store.cache}"\n'
        f'generator = "{small_base}"\nthreads = 1\nreading = false\nmax_new_tokens = 4\nmin_confidence = 0.0\n'
        "kv_cache_mb = 32\n",
        encoding="utf-8",
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        with closing(Tekio(Settings())) as tekio:
            tekio.ingest([write_documents(folder / "documents", 4)])
    return folder


@pytest.fixture
def run(place: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Run:
    monkeypatch.chdir(place)
    return run


def test_a_model_is_quantised_listed_and_asked(run: Run) -> None:
    code, out, err = run("adapt", "quantise", "--name", "light", "--method", "int8", "--measure", "0")
    assert code == 0, err
    assert "quantise int8: " in out
    assert "`tekio ask --variant light QUESTION`" in out
    (row,) = json.loads(run("models", "list", "--json")[1])["lab"]
    assert (row["name"], row["method"]) == ("light", "quantise int8")
    assert "made in the lab" in run("models")[1]
    code, out, err = run(
        "ask", "How often is the pump inspected?", "--variant", "light", "--json", "--no-cache"
    )
    assert code == 0, err
    assert json.loads(out)["usage"]["completion_tokens"] > 0
    code, _, err = run("adapt", "quantise", "--name", "light", "--method", "int8", "--measure", "0")
    assert (code, err.strip()) == (
        2,
        "tekio: there is a model 'light' in .tekio/models: choose another --name, or give --force",
    )
    code, _, err = run("adapt", "quantise", "--model", "lihgt", "--name", "lighter", "--method", "int8")
    assert code == 2
    assert err.startswith("tekio: no model or folder 'lihgt'")
    assert err.strip().endswith("; of the lab are light")


def test_methods_are_explained_before_one_is_chosen(run: Run) -> None:
    code, out, _ = run("adapt", "quantise", "--list", "--json")
    assert code == 0
    assert [each["name"] for each in json.loads(out)["methods"]] == [
        "dynamic",
        "static",
        "int8",
        "int4",
        "qat",
    ]


def test_the_smallest_within_the_limits_is_made_exported_and_told(run: Run, place: Path) -> None:
    code, out, err = run(
        *("adapt", "compress", "--name", "device", "--memory", "60MB", "--max-loss", "5%"),
        *("--quantise", "int8", "--export", "gguf", "--json"),
    )
    assert code == 0, err
    told = json.loads(out)
    assert told["best"] == "int8"
    assert [each["name"] for each in told["tried"]] == ["base", "int8"]
    assert told["made"]["name"] == "device"
    assert told["made"]["figures"]["after"]["perplexity"] == pytest.approx(
        told["made"]["figures"]["before"]["perplexity"], rel=0.05
    )
    assert told["export"]["same"] > 0.8
    assert (place / "device-gguf" / "model.gguf").is_file()
    assert "nothing is pruned or distilled" in err


def test_a_budget_that_cannot_be_met_is_said_with_what_is_missing(run: Run) -> None:
    code, out, err = run(
        *("adapt", "compress", "--name", "tiny", "--memory", "1MB", "--quantise", "none"),
    )
    assert code == 3, err
    assert "none is within the limits; base comes nearest: " in out
    assert "MB too much" in out
    assert "tiny" not in [row["name"] for row in json.loads(run("models", "--json")[1])["lab"]]


def test_limits_that_are_none_are_told(run: Run) -> None:
    code, _, err = run("adapt", "compress", "--name", "device2", "--memory", "lots")
    assert (code, "--memory is a size such as 200MB" in err) == (2, True)
