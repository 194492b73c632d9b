"""The comparison with other systems: its arithmetic, its processes, and two systems for real."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from evaluation.benchmarks.output import show
from evaluation.benchmarks.rivals import __main__ as command
from evaluation.benchmarks.rivals.catalog import KINDS, Kind, Model, find_kinds
from evaluation.benchmarks.rivals.messages import Ingested
from evaluation.benchmarks.rivals.runner import Measured, run
from evaluation.benchmarks.rivals.subset import smaller
from evaluation.benchmarks.rivals.table import print_results, result
from evaluation.benchmarks.rivals.worker import peak_mib
from evaluation.retrieval.beir import Beir, BeirDocument
from retrieval.errors import TekioError, UsageError

_NO_MODEL = Model("none", "", "")
_MIB = 2**20

needs_rank_bm25 = pytest.mark.skipif(
    find_spec("rank_bm25") is None, reason="rank-bm25 is not installed (pip install 'tekio[rivals]')"
)


def _set(queries: int = 3, documents: int = 6) -> Beir:
    words = ["lighthouse", "orchard", "glacier", "harbour", "meadow", "quarry"]
    return Beir(
        "small",
        "test",
        [BeirDocument(f"d{n}", words[n % 6], f"A text on the {words[n % 6]} {n}.") for n in range(documents)],
        [(f"q{n}", f"where is the {words[n % 6]}") for n in range(queries)],
        {f"q{n}": {f"d{n}": 1} for n in range(queries)},
    )


def _measured(name: str, places: dict[str, list[str]]) -> Measured:
    rankings = {query: [(document, 1.0) for document in found] for query, found in places.items()}
    return Measured(
        KINDS[name], Ingested("as set", 2.0, 3.0, 0.0), rankings, [0.001, 0.002, 0.003], 0.3, 100.0
    )


def test_a_difference_is_that_of_the_same_queries_to_tekio() -> None:
    all_found = {"q0": ["d0"], "q1": ["d1"], "q2": ["d2"]}
    one_lost = {"q0": ["d0"], "q1": ["d1"], "q2": ["d5"]}
    own, other = result(_set(), [_measured("tekio", all_found), _measured("dense", one_lost)]).rows
    assert own.figures["ndcg@10"].mean == 1
    assert own.differences == {}
    assert other.differences["ndcg@10"].difference == pytest.approx(-1 / 3)
    assert other.differences["recall@10"].interval[0] == pytest.approx(-1)
    assert other.p50_ms == pytest.approx(2)
    assert other.cpu_ms == pytest.approx(100)


def test_without_tekio_there_are_figures_but_no_differences() -> None:
    (row,) = result(_set(), [_measured("dense", {"q0": ["d0"]})]).rows
    assert row.differences == {}
    assert row.figures["recall@10"].mean == pytest.approx(1 / 3)


def test_the_table_has_a_line_for_each_system_and_says_how_each_is_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = {"q0": ["d0"], "q1": ["d1"], "q2": ["d2"]}
    print_results([result(_set(), [_measured("tekio", found), _measured("dense", {})])])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "small: 6 documents, 3 queries"
    assert lines[2].split()[:2] == ["tekio", "1.0000"]
    assert "-1.0000" in lines[3]
    assert lines[3].split()[-1] == "none"
    assert lines[5].strip() == "dense: as set"


def test_results_are_one_json_document_or_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"a": 1}], lambda: print("a table"), as_json=True)
    assert json.loads(capsys.readouterr().out) == [{"a": 1}]
    show([{"a": 1}], lambda: print("a table"), as_json=False)
    assert capsys.readouterr().out == "a table\n"


def test_a_smaller_set_keeps_every_judged_document_and_queries_from_all_over() -> None:
    part = smaller(_set(queries=50, documents=100), 5, 20)
    assert [name for name, _ in part.queries] == ["q0", "q10", "q20", "q30", "q40"]
    kept = {document.id for document in part.documents}
    assert len(kept) == 20
    assert {"d0", "d10", "d20", "d30", "d40"} <= kept
    assert any(int(name[1:]) > 60 for name in kept)
    assert {document.id for document in smaller(_set(6, 6), 6, 1).documents} == {f"d{n}" for n in range(6)}
    assert smaller(_set(), None, None) == _set()


def test_systems_in_processes_of_their_own_find_the_documents(tmp_path: Path) -> None:
    from kernel.model_store import ModelStore
    from kernel.settings import load_settings

    settings = load_settings()
    if not ModelStore(settings.cache).is_present(settings.embedder):
        pytest.skip(f"the model {settings.embedder} is not here")
    kinds = [KINDS["tekio"], KINDS["dense"]]
    own, dense = run(kinds, _set(), Model(_folder(), "query: ", "passage: "), tmp_path, lambda text: None)
    for measured in (own, dense):
        assert {query: ranking[0][0] for query, ranking in measured.rankings.items()} == {
            "q0": "d0",
            "q1": "d1",
            "q2": "d2",
        }
        assert len(measured.seconds) == 3
        assert measured.peak_mib > 100
        assert measured.ingested.disk_mib > 0
        assert measured.cpu_seconds > 0


def _folder() -> str:
    from kernel.model_store import ModelStore
    from kernel.settings import load_settings

    settings = load_settings()
    return str(ModelStore(settings.cache).resolve(settings.embedder).folder)


@needs_rank_bm25
@pytest.mark.parametrize("name", ["rank-bm25", "rank-bm25-sudachi"])
def test_rank_bm25_finds_words_and_keeps_nothing_on_the_disk(name: str, tmp_path: Path) -> None:
    (measured,) = run([KINDS[name]], _set(), _NO_MODEL, tmp_path, lambda text: None)
    assert [measured.rankings[f"q{n}"][0][0] for n in range(3)] == ["d0", "d1", "d2"]
    assert measured.ingested.disk_mib == 0


@needs_rank_bm25
def test_memory_is_that_of_the_system_and_not_of_who_started_it(tmp_path: Path) -> None:
    ballast = np.ones(300 * _MIB, np.uint8)
    (measured,) = run([KINDS["rank-bm25"]], _set(), _NO_MODEL, tmp_path, lambda text: None)
    assert measured.peak_mib < 250 < peak_mib()
    assert ballast.any()


def test_a_system_that_fails_is_named_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(TekioError, match=r"dense ended with exit code 1: \w+: ."):
        run([KINDS["dense"]], _set(), _NO_MODEL, tmp_path, lambda text: None)


def test_a_system_whose_packages_are_missing_is_left_out_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    absent = Kind("absent", "absent", ("no_such_package.part",))
    assert command.present([KINDS["tekio"], absent]) == [KINDS["tekio"]]
    assert "absent is left out: no_such_package.part not installed" in capsys.readouterr().err
    with pytest.raises(UsageError, match="no system"):
        command.present([absent])


def test_an_unknown_system_or_set_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="no system 'elastic'; there are tekio"):
        find_kinds(["tekio", "elastic"])
    assert command.main(["--beir", str(tmp_path / "none")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    with pytest.raises(SystemExit, match="2"):
        command.main(["--queries", "0"])


def test_the_words_of_sudachi_are_for_japanese_sets_only() -> None:
    japanese = Beir("ja", "test", [BeirDocument("a", "", "東京は日本の首都です。")], [], {})
    assert command.language(japanese) == "ja"
    assert command.language(_set()) == "en"
    assert KINDS["rank-bm25-sudachi"].languages == ("ja",)
