"""The benchmark for GPUs, run on the processors with a model of its smallest size."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evaluation.benchmarks import gpu
from retrieval.engines.cpu import has_gpu


def test_a_model_made_from_its_configuration_is_measured_alone_and_together(
    small_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "PROMPT", 96)
    monkeypatch.setattr(gpu, "WRITTEN", 6)
    monkeypatch.setattr(gpu, "AT_ONCE", (2,))
    folder = gpu.make_model("tiny", small_base, tmp_path / "tiny")
    figures = gpu.generation(folder, "tiny")
    assert [each.measure for each in figures] == [
        "whole answer",
        "prefill",
        "decode",
        "2 at once",
        "memory at its peak",
    ]
    assert all(each.value > 0 and each.ratio and each.ratio > 0 for each in figures[:-1])


@pytest.mark.skipif(has_gpu(), reason="there is a GPU, which it would be measured on")
def test_without_a_gpu_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu"])
    assert gpu.main() == 1
    assert "no GPU that torch can use" in capsys.readouterr().err


def test_a_size_that_there_is_not_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu", "--sizes", "70B"])
    assert gpu.main() == 2
    assert "there are default, 1.5B" in capsys.readouterr().err
