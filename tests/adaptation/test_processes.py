"""Several processes that train one adapter come to what one process comes to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.adaptation.trained import BASE, train_on, write_set

PAIRS = [
    (f"Name drink number {number}.", f"{word} tea.") for number, word in enumerate(("Zebra", "Mint") * 8)
]
CHOSEN = {"steps": 3, "rank": 2, "rows": 4, "layers": 1.0, "pack": 64, "rate": 1e-3}
_SCRIPT = """
import json, sys
from pathlib import Path
from adaptation.finetuning.command import Base, train_adapter
from adaptation.finetuning.recipe import Recipe
base, data, out, chosen = sys.argv[1:]
train_adapter(Base({base!r}, Path(base), "r1", ["en"]), Path(data), Path(out), Recipe(**json.loads(chosen)))
"""


def test_two_processes_learn_what_one_does_and_one_of_them_writes(small_base: Path, tmp_path: Path) -> None:
    data = write_set(tmp_path / "data", PAIRS)
    alone = train_on(small_base, tmp_path / "alone", PAIRS, **CHOSEN)
    script = tmp_path / "train.py"
    script.write_text(_SCRIPT.format(base=BASE), encoding="utf-8")
    out = tmp_path / "together"
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2"]
    command += [
        "--num_machines",
        "1",
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "--main_process_port",
        "0",
    ]
    done = subprocess.run(
        [*command, str(script), str(small_base), str(data), str(out), json.dumps(CHOSEN)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (load_file(folder / "adapter_model.safetensors") for folder in (alone, out))
    assert first.keys() == second.keys()
    # The order in which packs are added up differs, and with it the last digits.
    apart = max(float((first[name] - second[name]).abs().max()) for name in first)
    size = max(float(weight.abs().max()) for name, weight in first.items() if ".lora_B." in name)
    assert apart < 0.05 * size
    assert torch.isfinite(torch.tensor(apart))
    assert json.loads((out / "tekio_adapter.json").read_text("utf-8"))["training"]["steps"] == CHOSEN["steps"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


@pytest.mark.parametrize(("rank", "first"), [("0", True), ("1", False), ("3", False)])
def test_the_first_process_is_the_one_that_writes(
    monkeypatch: pytest.MonkeyPatch, rank: str, first: bool
) -> None:
    from adaptation.finetuning.processes import is_first

    monkeypatch.setenv("RANK", rank)
    assert is_first() is first
