"""The benchmarks of business questions and of questions of several parts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.benchmarks import legs, lit, parts
from evaluation.retrieval.beir import Beir, BeirDocument
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import UsageError
from retrieval.question_parts import question_parts
from retrieval.ranking import Mode


def row(question: str, right: list[str], wrong: list[str], *, answerable: bool = True) -> dict[str, object]:
    chunks = {
        name: [{"title": "", "content": text} for text in texts]
        for name, texts in (("positive_chunks", right), ("negative_chunks", wrong))
    }
    return {"question": question, "answerable": answerable, **chunks}


def write(folder: Path, language: str, rows: list[dict[str, object]]) -> None:
    (folder / f"{language}.jsonl").write_text("\n".join(json.dumps(each) for each in rows), "utf-8")


PUMP = "<table><tr><th>Part</th><th>Price</th></tr><tr><td>Pump</td><td>300 yen</td></tr></table>"
FORM = "The form is signed by the ward manager."


def test_chunks_of_all_rows_are_pooled_and_only_answerable_rows_are_asked(tmp_path: Path) -> None:
    write(
        tmp_path,
        "en",
        [row("What does the pump cost?", [PUMP], [FORM]), row("?", [], [FORM, "x"], answerable=False)],
    )
    found = lit.load_lit(tmp_path, "en")
    assert [document.text for document in found.documents] == [PUMP, FORM, "x"]
    assert found.queries == [("1", "What does the pump cost?")]
    assert found.judgements == {"1": {"0": 1}}


def test_recall_is_measured_for_each_way_and_language(tmp_path: Path, model_store: ModelStore) -> None:
    rows = [
        row("What does the pump cost, and who signs the form?", [PUMP, FORM], ["The kiln is hot.", "Fans."]),
        row("Who signs the form?", [FORM], ["The belt is old."]),
    ]
    for language in lit.LANGUAGES:
        write(tmp_path, language, rows)
    cache = tmp_path / "cache"
    cache.mkdir()
    for folder in model_store.cache.iterdir():
        (cache / folder.name).symlink_to(folder)
    if (cache / "evaluations").exists():
        (cache / "evaluations").unlink()
    results = lit.run(tmp_path, Settings(cache=cache))
    assert {(each.language, each.way) for each in results} == {
        (language, way)
        for language in lit.LANGUAGES
        for way in ("keyword", "dense", "hybrid", "hybrid, parts by rules")
    }
    assert all(each.recall == 1 for each in results if each.way.startswith("hybrid"))
    assert all(each.interval[0] <= each.recall <= each.interval[1] for each in results)
    assert len(lit.table(results)) == 9


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "line 1"), ('{"question": "q"}', "line 1"), ("", "no answerable row"), ("[]", "line 1")],
)
def test_a_broken_set_is_told_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "ja.jsonl").write_text(text, "utf-8")
    with pytest.raises(UsageError, match=says) as told:
        lit.load_lit(tmp_path, "ja")
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("module", [lit, parts])
def test_without_the_data_a_benchmark_ends_with_one_line(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", str(tmp_path)])
    assert module.main() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1


def test_pairs_are_of_one_article_and_two_passages_and_of_half_the_articles() -> None:
    documents = [BeirDocument(f"{t}{n}", t, "text") for t in "abcd" for n in range(3)]
    queries = [(f"q{each.id}", f"What is {each.id} for?") for each in documents]
    found = Beir("x", "dev", documents, queries, {f"q{each.id}": {each.id: 1} for each in documents})
    one, other = (parts.pairs_of(found, "en", half) for half in (0, 1))
    assert len(one.queries) == len(other.queries) == 2
    for pairs, titles in ((one, "ac"), (other, "bd")):
        for rights in pairs.judgements.values():
            assert len(rights) == 2
            assert len({name[0] for name in rights}) == 1
            assert next(iter(rights))[0] in titles
    assert all(len(question_parts(text)) == 2 for _, text in one.queries)


def test_two_questions_are_asked_as_a_person_would() -> None:
    assert parts.joined("Who came?", "What is it?", "en") == "Who came, and what is it?"
    assert parts.joined("Who came?", "In which year?", "en") == "Who came? In which year?"
    assert parts.joined("誰が来た？", "何年か。", "ja") == "誰が来た？また、何年か？"


def test_hybrid_is_held_against_the_better_leg_of_the_same_questions() -> None:
    scores: dict[Mode, NDArray[np.float64]] = {
        "hybrid": np.array([1.0, 0.5, 0.5]),
        "dense": np.array([1.0, 0.0, 0.5]),
        "keyword": np.array([0.0, 0.5, 0.0]),
    }
    found = legs.result("en", "set", scores)
    assert (found.hybrid, found.dense, found.keyword) == pytest.approx((2 / 3, 0.5, 1 / 6))
    assert found.difference == pytest.approx(1 / 6)
    below = legs.result("en", "set", {**scores, "hybrid": np.zeros(3)})
    assert below.difference == pytest.approx(-0.5)
    header, line = legs.table([found])
    assert "+0.1667" in line
    assert header.index("hybrid") < header.index("dense")
