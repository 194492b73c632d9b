"""Several processes that train one model from scratch come to what one process comes to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from safetensors.torch import load_file

from adaptation.lab.models import read_card
from adaptation.lab.scratch.pretraining import pretrain
from tests.adaptation.lab.small_corpus import tiny_recipe, write_corpus

_SCRIPT = """
import sys
from pathlib import Path
from adaptation.lab.scratch.pretraining import pretrain
from tests.adaptation.lab.small_corpus import tiny_recipe
corpus, out = map(Path, sys.argv[1:])
pretrain(tiny_recipe(corpus, dropout=0.0), out)
"""


def test_two_processes_learn_what_one_does_and_one_of_them_writes(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    alone, together = tmp_path / "models" / "alone", tmp_path / "models" / "together"
    pretrain(tiny_recipe(corpus, dropout=0.0), alone)
    script = tmp_path / "train.py"
    script.write_text(_SCRIPT, encoding="utf-8")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2"]
    command += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    done = subprocess.run(
        [*command, "--main_process_port", "0", str(script), str(corpus), str(together)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[4])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (load_file(folder / "model.safetensors") for folder in (alone, together))
    assert first.keys() == second.keys()
    # The order in which gradients are added up differs, and with it the last digits, which AdamW makes larger.
    apart = max(float((first[name] - second[name]).abs().max()) for name in first)
    assert apart < 0.01
    losses = [read_card(folder).figures["held_out"]["loss"] for folder in (alone, together)]
    assert abs(losses[0] - losses[1]) < 0.02
    assert not list(together.parent.glob(".*"))
