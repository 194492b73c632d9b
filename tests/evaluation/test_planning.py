"""What is planned with, against values computed by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from evaluation.planning import FIGURES, main, read_figures
from evaluation.planning_arithmetic import (
    Assumptions,
    Row,
    of_passages,
    of_users,
    search_parts,
    shards_within,
)
from retrieval.errors import UsageError

HAND = {
    "vector_bytes": 1024.0,
    "index_bytes": 512.0,
    "index_memory_bytes": 512.0,
    "token_vector_bytes": 2048.0,
    "text_bytes": 512.0,
    "process_memory_mib": 768.0,
    "reading_memory_mib": 256.0,
    "ingest_chunks_per_second": 50.0,
    "search_fixed_ms": 10.0,
    "dense_ms_at_million": 2.0,
    "keyword_ms_at_100k": 1.0,
    "search_cpu_ms": 40.0,
    "check_cpu_ms": 60.0,
    "engine_decode_tokens_per_second": 100.0,
    "engine_prefill_tokens_per_second": 1000.0,
}


def by_name(rows: list[Row]) -> dict[str, float]:
    return {row.name: row.value for row in rows}


def test_an_index_by_hand() -> None:
    found = by_name(of_passages(4 * 2**20, HAND, Assumptions(ingest_machines=2)))
    assert found["disk"] == 16  # 4 Mi x 4 KiB
    assert found["disk without token_vectors"] == 8
    assert found["memory of the vectors' index"] == 2
    assert found["ingest"] == pytest.approx(4 * 2**20 / 100 / 3600)  # 11.65 hours
    assert round(found["ingest"], 2) == 11.65


def test_a_search_by_hand() -> None:
    assert search_parts(4e6, HAND) == (
        10,
        4,
        39,
    )  # the root of 4 doubles 2; 40 times the words, less the first
    assert search_parts(5e4, HAND)[2] == 0
    found = by_name(of_passages(4e6, HAND, Assumptions(search_ms=33)))
    assert found["search, p50"] == 53
    # two: 10 + 2.83 + 19 = 31.83
    assert found["shards"] == 2
    assert shards_within(53, 4e6, HAND) == 1
    with pytest.raises(UsageError, match="search-ms"):
        shards_within(12, 4e6, HAND)


def test_users_by_hand() -> None:
    supposed = Assumptions(
        questions_per_hour=6, peak=2, prompt_tokens=1000, answer_tokens=100, busy=0.5, search_ms=300
    )
    found = by_name(of_users(3000, HAND, supposed))
    assert found["questions at the peak"] == 10  # 3,000 x 6 / 3,600 x 2
    assert found["API processes of two cores"] == 2  # 10 x 0.1 s / 0.5
    assert found["memory of the processes"] == 2
    assert found["tokens at the peak"] == 11_000
    assert found["engine seconds of an answer"] == 2
    assert found["engines"] == 40  # 10 x 2 s / 0.5


def test_the_figures_that_ship_name_where_they_come_from() -> None:
    held = json.loads(FIGURES.read_text("utf-8"))
    assert set(held["figures"]) == set(HAND) == set(read_figures(FIGURES))
    for each in held["figures"].values():
        assert set(each) == {"value", "unit", "what", "command", "date"}
        assert all(each.values())
    assert held["hardware"]


def test_it_prints_the_arithmetic_and_as_json_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["planning", "--passages", "1e6", "--users", "1000", "--peak", "2"])
    assert main() == 0
    text = capsys.readouterr().out
    assert "1,000,000 passages" in text
    assert "1,000 users x 4 an hour / 3,600 x 2 at the peak" in text
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--json"])
    assert main() == 0
    found = json.loads(capsys.readouterr().out)
    assert found["assumptions"]["peak"] == 2
    assert found["users"]["1000"][0]["value"] == pytest.approx(1000 * 4 / 3600 * 2)
    assert {"disk", "ingest", "shards"} <= {row["name"] for row in found["passages"]["1000000"]}


@pytest.mark.parametrize(
    "options", [["--passages", "many"], ["--users", "-1"], ["--busy", "2"], ["--figures", "none.json"]]
)
def test_what_is_wrong_is_one_line(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["planning", *options])
    assert main() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1


def test_a_file_of_figures_must_be_whole(tmp_path: Path) -> None:
    held = json.loads(FIGURES.read_text("utf-8"))
    file = tmp_path / "figures.json"
    held["figures"]["vector_bytes"]["value"] = 0
    file.write_text(json.dumps(held), encoding="utf-8")
    with pytest.raises(UsageError, match="vector_bytes"):
        read_figures(file)
    del held["figures"]["vector_bytes"]
    file.write_text(json.dumps(held), encoding="utf-8")
    with pytest.raises(UsageError, match="lacks"):
        read_figures(file)
