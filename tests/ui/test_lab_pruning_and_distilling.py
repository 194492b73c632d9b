"""`tekio adapt prune`, `distil` and `speculate`: a smaller model, a student of it, and that as a draft."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from kernel.model_store import ModelStore
from tests.adaptation.lab.small_models import make_pairs, make_small
from tests.adaptation.trained import BASE
from tests.ui.conftest import Run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pairs(tmp_path_factory.mktemp("sets") / "colours")


@pytest.fixture(scope="module")
def base(model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_small(model_store.resolve(BASE).folder, tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEKIO_GENERATOR", str(base))
    monkeypatch.setenv("TEKIO_MODELS", str(tmp_path / "models"))


def test_a_pruned_model_its_student_and_a_draft_come_of_three_commands(
    run: Run, data: Path, tmp_path: Path
) -> None:
    common = ("--data", str(data), "--window", "128", "--measure", "0", "--json")
    code, out, err = run(
        "adapt", "prune", "--name", "half", "--method", "layers", "--heal", "2", "--calibration", "2", *common
    )
    assert code == 0, err
    pruned = json.loads(out)
    assert (pruned["method"], pruned["figures"]["taken"]) == ("prune", 0.5)
    assert Path(pruned["folder"]) == tmp_path / "models" / "half"
    code, out, err = run(
        "adapt", "distil", "--name", "student", "--student", "half", "--steps", "2", "--no-control", *common
    )
    assert code == 0, err
    taught = json.loads(out)
    assert (taught["method"], taught["recipe"]["student"]) == ("distil", "half")
    code, out, err = run(
        "adapt", "speculate", "--data", str(data), "--draft", "student", "--guesses", "2",
        "--draft-precisions", "auto", "--prompts", "1", "--new-tokens", "8", "--json",
    )  # fmt: skip
    assert code == 0, err
    found = json.loads(out)
    tried = [(each["draft_precision"], each["guesses"]) for each in found["tried"]]
    assert tried == [("text", 1), ("text", 2), ("auto", 1), ("auto", 2)]
    assert all(each["same"] for each in found["tried"])


def test_a_curve_is_drawn_with_its_figures_beside_it(run: Run, data: Path, tmp_path: Path) -> None:
    code, out, err = run(
        "adapt", "prune", "--curve", "0.3,0.6", "--method", "magnitude", "--data", str(data), "--window", "128",
        "--out", str(tmp_path / "curve.png"), "--json",
    )  # fmt: skip
    assert code == 0, err
    assert [point["share"] for point in json.loads(out)["points"]] == [0.0, 0.3, 0.6]
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "curve.json").read_text("utf-8"))["method"] == "magnitude"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("prune", "--name", "x", "--sparsity", "0"), "above 0 and below 1"),
        (("prune", "--name", "x", "--sparsity", "1"), "above 0 and below 1"),
        (("prune",), "give the new model a name by --name"),
        (("prune", "--curve", "half"), "--curve is numbers"),
        (("distil", "--name", "x", "--way", "osmosis"), "no way to distil"),
        (("distil", "--name", "base"), "a variant that is always there"),
        (("speculate", "--draft", "x", "--guesses", "many"), "--guesses is numbers"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    run: Run, data: Path, tmp_path: Path, given: tuple[str, ...], said: str
) -> None:
    code, out, err = run("adapt", *given, "--data", str(data))
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "models").exists()
