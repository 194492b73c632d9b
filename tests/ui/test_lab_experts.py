"""`tekio adapt experts`: what a person is told, and that the mixture can be asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kernel.model_store import ModelStore
from tests.adaptation.conftest import THINGS, make_base
from tests.adaptation.lab.small_models import WORDS
from tests.ui.conftest import Run

BASE = "SmolLM2-135M-Instruct"
SMALL = ("--experts", "4", "--steps", "2", "--rows", "2", "--window", "16", "--measure", "0")


@pytest.fixture(scope="module")
def place(model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with settings that name a tiny base, and texts of two domains."""
    folder = tmp_path_factory.mktemp("experts")
    tiny = make_base(model_store.resolve(BASE).folder, folder / "tiny", words=WORDS)
    (folder / "tekio.toml").write_text(
        f'generator = "{tiny}"\ncache = "{model_store.cache}"\nthreads = 1\noffline = true\n',
        encoding="utf-8",
    )
    for domain in ("care", "places"):
        (folder / "texts" / domain).mkdir(parents=True)
        for thing in THINGS[:4]:
            text = f"The {thing} of the {domain} is oiled and brought back to where it was. " * 2
            (folder / "texts" / domain / f"{thing}.md").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def run(place: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Run:
    monkeypatch.chdir(place)
    return run


def test_a_mixture_is_made_told_and_listed_as_a_variant(run: Run, place: Path) -> None:
    asked = ("adapt", "experts", "--texts", "texts", "--name", "mixed", "--parts", "2", *SMALL)
    code, out, err = run(*asked)
    assert code == 0, err
    assert "held-out perplexity" in out
    assert "care" in out
    assert "load entropy" in out
    assert "against dense with as many active parameters" in out
    assert "tekio ask --variant mixed" in out
    code, out, err = run("models", "--json")
    assert code == 0, err
    assert "mixed" in out
    code, _, err = run(*asked)
    assert code == 2
    assert "there is a model 'mixed'" in err


def test_lora_experts_are_told_as_json(run: Run) -> None:
    code, out, err = run(
        *("adapt", "experts", "--texts", "texts", "--name", "routed", "--kind", "lora", "--rank", "2"),
        *(*SMALL, "--json"),
    )
    assert code == 0, err
    told = json.loads(out)
    assert Path(told["folder"]).parent.name == "adapters"
    assert told["recipe"]["routing"] == "top2"
    assert len(told["figures"]["experts"]["load_entropy_by_layer"]) == 6
    assert {"base", "dense", "mixture"} == set(told["figures"]["perplexity"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--experts", "7", "--parts", "2"), "7 experts do not divide into layers of 2 parts"),
        (("--kind", "lora", "--base", "other"), "--base is of --kind model"),
        (("--routing", "top9"), "--routing is one of top1, top2"),
        (("--texts", "nowhere"), "there is no folder nowhere"),
        (("--name", "base"), "is the name of a variant that is always there"),
        (("--resume",), "no run that makes 'none' was stopped"),
    ],
)
def test_what_cannot_be_made_is_told_in_one_line(run: Run, options: tuple[str, ...], said: str) -> None:
    given = {"--texts": "texts", "--name": "none"}
    pairs = [part for option, value in given.items() if option not in options for part in (option, value)]
    code, out, err = run("adapt", "experts", *pairs, *SMALL, *options)
    assert code == 2
    assert out == ""
    assert said in err
    assert len(err.strip().splitlines()) == 1
