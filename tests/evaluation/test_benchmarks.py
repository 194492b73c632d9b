"""The benchmarks' own arithmetic, and what they say when there is nothing to measure."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from evaluation.benchmarks import embedding, ingest
from evaluation.benchmarks.corpora import write_documents
from evaluation.retrieval.metrics import bootstrap_interval
from retrieval.errors import UsageError


def test_the_interval_of_no_difference_is_nothing_and_that_of_a_difference_holds_it() -> None:
    assert bootstrap_interval(np.zeros(50)) == (0, 0)
    low, high = bootstrap_interval(np.random.default_rng(1).normal(0.1, 0.2, 500))
    assert 0.05 < low < 0.1 < high < 0.15


def test_documents_are_the_same_each_time_and_too_few_are_told(tmp_path: Path) -> None:
    data = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    if not data.is_dir():
        pytest.skip(f"the shared data sets are not there: {data}")
    for place in ("a", "b"):
        write_documents(data, tmp_path / place, 30)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 30
    assert {path.suffix for path in files} == {".md", ".html", ".txt"}
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
    with pytest.raises(UsageError, match="gives"):
        write_documents(data, tmp_path / "c", 10**6)


def test_a_ratio_is_to_the_loop_over_the_same_documents(capsys: pytest.CaptureFixture[str]) -> None:
    ingest.print_table(
        [ingest.Result("loop", 100, 200, 30.0, 900), ingest.Result("tekio", 100, 200, 10.0, 1000)]
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["tekio", "100", "200", "10.0", "10.0", "20.0", "3.00", "1,000"]


@pytest.mark.parametrize("module", [embedding, ingest])
def test_without_the_data_a_benchmark_ends_with_one_line(
    module: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (
        ["--rounds", "0", "--engines", "torch", "--quality", "1"] if module is embedding else ["--sizes", "1"]
    )
    monkeypatch.setattr(sys, "argv", ["benchmark", "--data", str(tmp_path), *options])
    assert module.main() != 0  # type: ignore[attr-defined]
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1
