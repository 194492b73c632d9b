"""How the command line starts: what help imports, and what the benchmark of it measures."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from evaluation.benchmarks import startup
from evaluation.benchmarks.startup import STEPS, Result, lines
from evaluation.benchmarks.startup_probe import waited
from kernel.answer import TraceStep
from kernel.app import Tekio
from kernel.settings import load_settings

HEAVY = ("torch", "transformers", "semantic_kernel", "faiss", "openvino", "numpy")


@pytest.mark.parametrize("arguments", [["--help"], ["ask", "--help"], ["serve", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('held:', [name for name in {HEAVY!r} if name in sys.modules]))\n"
        f"from ui.cli import main; main({arguments!r})\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(startup.ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "held: []"


def test_a_question_s_first_token_and_where_its_time_goes(tmp_path: Path) -> None:
    pytest.importorskip("pty")
    page = tmp_path / "kilns.md"
    page.write_text("# Kilns\n\nThe porcelain kiln is fired at 1,240 degrees.\n", encoding="utf-8")
    with closing(Tekio(load_settings(index=str(tmp_path / "index")))) as tekio:
        tekio.ingest([page])
    result = startup.measure(tmp_path / "index", "extractive", "How hot is the porcelain kiln?", 1)
    assert 0 < result.help_ms < result.first_token_ms
    assert tuple(result.steps_ms) == STEPS
    assert all(value >= 0 for value in result.steps_ms.values())
    assert result.steps_ms["kernel, index"] > 0


def test_steps_sum_up_to_the_first_token() -> None:
    def step(name: str, start: float, ms: float, *within: TraceStep) -> TraceStep:
        return TraceStep(name=name, start_ms=start, ms=ms, steps=list(within))

    trace = step(
        "question",
        0,
        1000,
        step("retrieve", 10, 300, step("embed", 10, 250)),
        step("rank", 310, 20),
        step("read", 330, 100),
        step("budget", 430, 50),
        step("generate", 480, 500),
    )
    found = waited(trace, 700)
    assert found == {"embed": 250, "search": 50, "read": 100, "prompt": 50, "rank": 30, "first token": 220}
    assert sum(found.values()) == 700


def test_the_table_adds_up() -> None:
    result = Result(3, "base", 160.0, 3500.0, dict.fromkeys(STEPS, 100.0))
    assert lines(result)[-1].split() == ["first", "token", "100", "900"]
