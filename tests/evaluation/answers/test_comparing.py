"""Figures of runs, and a run held against a stored one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.answers.figures import PairedTest, Prices, figures, holm, paired_tests
from evaluation.answers.items import Item, digest
from evaluation.answers.journal import Journal, write_whole
from evaluation.answers.outcome import Outcome
from evaluation.answers.regress import regress
from evaluation.answers.runfile import FORMAT, QuestionsAsked, RunFile, read_run
from kernel.answer import Usage
from retrieval.errors import UsageError

ITEMS = tuple(Item(str(number), "en", "?", ("x",), answerable=number < 30) for number in range(40))
BY_ID = {item.id: item for item in ITEMS}


def outcomes(run: str, f1: float, *, wrong: int = 0, refusals: int = 10) -> list[Outcome]:
    """Answers of which the first `wrong` are worth nothing; of the last ten `refusals` are refused."""
    return [
        Outcome(
            id=item.id,
            run=run,
            refused=not item.answerable and int(item.id) < 30 + refusals,
            usage=Usage(prompt_tokens=1000, completion_tokens=100),
            timings_ms={"total": 10.0 + int(item.id), "generate": 5.0},
            cpu_seconds=0.5,
            scores={"f1": 0.0 if int(item.id) < wrong else f1 + int(item.id) / 1000, "unsupported_share": 0.1}
            if item.answerable
            else {},
        )
        for item in ITEMS
    ]


def run_file(*runs: tuple[str, list[Outcome]], items: tuple[Item, ...] = ITEMS, **more: Any) -> RunFile:
    return RunFile(
        format=FORMAT,
        made="2026-01-01T00:00:00+00:00",
        questions=QuestionsAsked(
            path="q.jsonl",
            form="own",
            name="q",
            digest=digest(items),
            count=len(items),
            answerable=30,
            pool=False,
        ),
        about={"documents": 3},
        methods={"faithfulness": "own", "relevance": "own"},
        judge=None,
        ways=[],
        runs=[{"name": name, "figures": figures(of, BY_ID, Prices())} for name, of in runs],
        comparisons=[],
        notices=[],
        items=list(items),
        outcomes=[outcome for _, of in runs for outcome in of],
    ).model_copy(update=more)


def test_refusals_have_precision_and_recall_with_wilson_intervals() -> None:
    of = outcomes("base", 0.5, refusals=8)
    of[0] = of[0].model_copy(update={"refused": True})
    found = figures(of, BY_ID, Prices())
    assert (found["refusal_precision"]["hits"], found["refusal_precision"]["questions"]) == (8, 9)
    assert found["refusal_recall"]["value"] == 0.8
    assert found["refusal_recall"]["interval"] == pytest.approx([0.490, 0.943], abs=0.001)
    assert found["refused_answerable"]["value"] == pytest.approx(1 / 30)


def test_means_have_intervals_and_what_is_spent_is_summed_up() -> None:
    found = figures(outcomes("base", 0.5), BY_ID, Prices(2.0, 10.0))
    low, high = found["f1"]["interval"]
    assert low < found["f1"]["value"] < high
    assert found["f1"]["value"] == pytest.approx(0.5145)
    assert found["latency_ms"]["p50"] == pytest.approx(29.5)
    assert found["tokens_per_second"]["value"] == pytest.approx(20_000)
    assert found["cpu_seconds"]["value"] == 0.5
    assert found["cost_per_1000"]["value"] == pytest.approx(1000 * (1000 * 2 + 100 * 10) / 1e6)
    assert "cost_per_1000" not in figures(outcomes("base", 0.5), BY_ID, Prices())


def test_two_runs_are_compared_by_the_same_questions() -> None:
    (test,) = [
        each
        for each in paired_tests("a", outcomes("a", 0.5), "b", list(reversed(outcomes("b", 0.4))))
        if each.metric == "f1"
    ]
    assert test.questions == 30
    assert test.difference == pytest.approx(-0.1)
    assert test.is_fall
    assert test.p_value < 0.001


def test_less_that_is_unsupported_is_no_fall() -> None:
    fewer = [one.model_copy(update={"scores": {"unsupported_share": 0.0}}) for one in outcomes("b", 0.5)]
    (test,) = paired_tests("a", outcomes("a", 0.5), "b", fewer)
    assert test.difference < 0
    assert not test.is_fall


def made(p_value: float) -> PairedTest:
    return PairedTest("a", "b", "f1", 3, 0.5, 0.4, -0.1, (-0.2, 0.0), p_value)


def test_holm_is_as_published() -> None:
    adjusted = [test.adjusted for test in holm([made(0.01), made(0.04), made(0.03), made(0.005)])]
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_never_makes_a_p_value_smaller(values: list[float]) -> None:
    found = holm([made(value) for value in values])
    assert all(value <= test.adjusted <= 1 for value, test in zip(values, found, strict=True))
    ranked = [test.adjusted for test in sorted(found, key=lambda test: test.p_value)]
    assert ranked == sorted(ranked)


def test_a_fall_is_found_and_chance_is_none() -> None:
    before = run_file(("base", outcomes("base", 0.5)))
    path = Path("before.json")
    worse = regress(before, run_file(("base", outcomes("base", 0.5, wrong=15))), path)
    assert [test.metric for test in worse.falls] == ["f1"]
    assert worse.lines()[0].startswith("FELL base: token F1 0.5")
    slightly = regress(before, run_file(("base", outcomes("base", 0.5, wrong=1))), path)
    assert not slightly.falls
    assert "fell, within chance base: token F1" in "\n".join(slightly.lines())
    better = regress(before, run_file(("base", outcomes("base", 0.9))), path)
    assert not better.falls
    assert better.lines()[0].startswith("rose base: token F1")


def test_only_what_both_runs_have_is_compared() -> None:
    before = run_file(("base", outcomes("base", 0.5)), ("extractive", outcomes("extractive", 0.5)))
    after = run_file(("base", outcomes("base", 0.5)))
    assert regress(before, after, Path("b.json")).notices == ("extractive is in one of the runs only",)
    with pytest.raises(UsageError, match="none is in both"):
        regress(before, run_file(("other", outcomes("other", 0.5))), Path("b.json"))


def test_other_questions_or_another_version_are_refused_in_one_line(tmp_path: Path) -> None:
    run = run_file(("base", outcomes("base", 0.5)))
    with pytest.raises(UsageError, match="is of other questions"):
        regress(run_file(("base", outcomes("base", 0.5)), items=ITEMS[1:]), run, Path("b.json"))
    path = tmp_path / "run.json"
    write_whole(path, run.model_dump(mode="json"))
    assert read_run(path) == run
    write_whole(path, {**run.model_dump(mode="json"), "format": FORMAT + 1})
    with pytest.raises(UsageError, match="another version"):
        read_run(path)
    write_whole(path, {"figures": {}})
    with pytest.raises(UsageError, match="is no run"):
        read_run(path)
    write_whole(path, {"format": FORMAT})
    with pytest.raises(UsageError, match="is broken at made"):
        read_run(path)
    with pytest.raises(UsageError, match="cannot read the run"):
        read_run(tmp_path / "none.json")


def test_what_is_told_by_other_models_is_not_compared() -> None:
    scored = [
        one.model_copy(update={"scores": {**one.scores, "faithfulness": 1.0, "judge": 1.0}})
        for one in outcomes("base", 0.5)
    ]
    fallen = [
        one.model_copy(update={"scores": {**one.scores, "faithfulness": 0.0, "judge": 0.0}}) for one in scored
    ]
    before = run_file(("base", scored), judge={"revision": "1"})
    after = run_file(
        ("base", fallen), methods={"faithfulness": "other", "relevance": "own"}, judge={"revision": "2"}
    )
    found = regress(before, after, Path("b.json"))
    assert not found.falls
    assert len(found.notices) == 2
    same = regress(before, run_file(("base", fallen), judge={"revision": "1"}), Path("b.json"))
    assert {test.metric for test in same.falls} == {"faithfulness", "judge"}


def test_a_journal_gives_back_what_a_killed_run_wrote_and_leaves_out_a_cut_line(tmp_path: Path) -> None:
    out, kept = tmp_path / "run.json", outcomes("base", 0.5)[:3]
    journal = Journal(out, {"questions": "1"})
    with journal.writing({}):
        for outcome in kept:
            journal.add(outcome)
    with journal.path.open("a", encoding="utf-8") as file:
        file.write('{"id": "9", "run": "ba')
    again = Journal(out, {"questions": "1"}).outcomes()
    assert list(again.values()) == kept
    with journal.writing(again):
        pass
    assert list(journal.outcomes().values()) == kept
    assert Journal(out, {"questions": "2"}).outcomes() == {}
