"""What `tekio doctor` says of models that the lab made, and of runs that were stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adaptation.lab.models import LabCard
from adaptation.lab.work_folder import begin_work
from kernel.settings import Settings
from ui.check_rows import FAIL, OK, WARN, Check
from ui.checks import run_checks
from ui.lab_checks import lab_models


def made(models: Path, name: str, architecture: str = "LlamaForCausalLM") -> Path:
    folder = models / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"architectures": [architecture]}), encoding="utf-8")
    LabCard(name=name, method="quantise int8", bytes=1_500_000).write(folder)
    return folder


def rows(folder: Path) -> dict[str, Check]:
    settings = Settings(models=folder / "models", adapters=folder / "adapters")
    return {row.check: row for row in lab_models(settings)}


def test_each_model_is_told_with_its_method_and_one_that_cannot_be_read_fails(tmp_path: Path) -> None:
    made(tmp_path / "models", "light")
    made(tmp_path / "models", "reader", "BertForMaskedLM")
    (made(tmp_path / "models", "broken") / "config.json").write_text("{", encoding="utf-8")
    (made(tmp_path / "models", "unnamed") / "tekio_lab.json").write_text("{}", encoding="utf-8")
    found = rows(tmp_path)
    light = found.pop("variant light")
    assert (light.status, light.found) == (OK, "made in the lab: quantise int8, 1.5 MB")
    reader = found.pop("model reader")
    assert (reader.status, reader.found.partition("; ")[2]) == (OK, "it writes no text, so it is no variant")
    assert {name: row.status for name, row in found.items()} == {
        "variant broken": FAIL,
        "variant unnamed": FAIL,
    }
    assert "cannot be read" in found["variant broken"].found


def test_a_run_that_was_stopped_is_told_with_what_it_holds(tmp_path: Path) -> None:
    searched = tmp_path / "models" / ".device.search"
    searched.mkdir(parents=True)
    for place in ("models", "adapters"):
        work = begin_work(tmp_path / place / "half", "digest", resume=False, force=False)
        assert set(rows(tmp_path)) == {"making of half"}, "the other holds nothing"
        (work / "model.safetensors").write_bytes(bytes(2_000_000))
        row = rows(tmp_path)["making of half"]
        assert row.status == WARN
        assert f"{work} has 2.0 MB" in row.found
        assert "--resume" in row.advice
    (searched / "plan.json").write_text("{}", encoding="utf-8")
    assert "making of device" in rows(tmp_path)


def test_they_are_among_the_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made(tmp_path / ".tekio" / "models", "light")
    found = {row.check: row for row in run_checks(index=None, fast=True)}
    assert found["variant light"].status == OK
