"""The benchmarks' own arithmetic, and what they say when there is nothing to measure."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from evaluation.benchmarks import embedding, ingest
from evaluation.benchmarks.beir import load_beir, ndcg_at_10
from evaluation.benchmarks.corpora import write_documents
from retrieval.errors import UsageError


def test_ndcg_is_one_for_the_ideal_order_and_discounts_by_place() -> None:
    relevant = {"a": 1, "b": 1}
    assert ndcg_at_10(["a", "b", "x"], relevant) == pytest.approx(1)
    assert ndcg_at_10(["x", "a"], {"a": 1}) == pytest.approx(1 / math.log2(3))
    assert ndcg_at_10(["x"] * 10 + ["a"], {"a": 1}) == 0
    ideal = 3 + 1 / math.log2(3)
    assert ndcg_at_10(["b", "a"], {"a": 3, "b": 1}) == pytest.approx((1 + 3 / math.log2(3)) / ideal)


def test_a_set_is_cut_to_documents_whose_questions_can_be_judged(tmp_path: Path) -> None:
    rows = [{"_id": str(n), "title": "T", "text": f"text {n}"} for n in range(4)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = [{"_id": "q1", "text": "one"}, {"_id": "q2", "text": "two"}]
    (tmp_path / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)))
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\t1\t1\nq2\t3\t1\nq2\t0\t0\n")
    whole, part = load_beir(tmp_path), load_beir(tmp_path, 2)
    assert [name for name, _ in whole.queries] == ["q1", "q2"]
    assert [name for name, _ in part.queries] == ["q1"]
    assert part.documents[0] == ("0", "T\ntext 0")
    assert whole.judgements == {"q1": {"1": 1}, "q2": {"3": 1}}
    with pytest.raises(UsageError, match="no retrieval set"):
        load_beir(tmp_path / "missing")


def test_the_interval_of_no_difference_is_nothing_and_that_of_a_difference_holds_it() -> None:
    assert embedding.interval(np.zeros(50)) == (0, 0)
    low, high = embedding.interval(np.random.default_rng(1).normal(0.1, 0.2, 500))
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
