"""The benchmarks' own arithmetic, and what they say when there is nothing to measure."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from evaluation.benchmarks import embedding, ingest, reranking
from evaluation.benchmarks.corpora import write_documents
from evaluation.benchmarks.own_time import own_milliseconds
from evaluation.retrieval.beir import Beir, BeirDocument
from evaluation.retrieval.metrics import bootstrap_interval
from evaluation.retrieval.scratch import scratch_index
from retrieval.errors import UsageError
from retrieval.sentence_transformer import SentenceTransformerEmbedder


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


def test_the_time_of_our_own_code_is_what_the_database_does_not_take() -> None:
    connection = sqlite3.connect(":memory:")
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT max(i) FROM n"
    queried = own_milliseconds(lambda _: connection.execute(slow).fetchall(), ["a", "b"])
    computed = own_milliseconds(lambda _: sum(number * number for number in range(200_000)), ["a", "b"])
    assert queried < computed / 2


def test_the_candidates_of_a_question_are_ranked_again_in_every_way(
    tmp_path: Path, embedder: SentenceTransformerEmbedder
) -> None:
    texts = [
        "The kiln is fired at 1,240 degrees.",
        "Glaze is stirred for 20 minutes.",
        "The gate opens at nine.",
    ]
    documents = [BeirDocument(str(number), "", text) for number, text in enumerate(texts)]
    queries = [("q", "How hot is the kiln?")]
    found = Beir("tiny", "dev", documents, queries, {"q": {"0": 1}})
    scratch = scratch_index(found, embedder, tmp_path)
    with closing(scratch.index):
        results = reranking.measure(scratch, queries, found.judgements, None)
    assert [each.way for each in results] == ["none", "late, stored", "late, computed"]
    assert all(each.ndcg == 1.0 for each in results)
    none, stored, computed = results
    assert (none.passage_bytes, computed.passage_bytes) == (0.0, 0.0)
    assert 3 * stored.passage_bytes % 48 == 0  # 384 bits a token, the mean of three passages
    assert stored.passage_bytes > 0
    assert stored.p50_ms < computed.p50_ms
    assert len(reranking.table(results)) == 4
