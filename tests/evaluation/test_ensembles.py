"""The report of an ensemble: gain, cost, what each member adds, and how alike they fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adaptation.ensembles.cases import Case
from evaluation.answers.items import Item
from evaluation.benchmarks.ensembles import measured, selections, table
from evaluation.ensembles.askings import askings_of
from evaluation.ensembles.diversity import alike
from evaluation.ensembles.report import lines_of, markdown, report
from kernel.ensembles.election import Elector
from tests.kernel.ensembles.made import answer, no_vectors, told, voices

ASKED = "What is done with it?"
DISCARDED, KEPT = "It is discarded.", "It is stored in a fridge."


def case(number: int, *rights: bool, refused: float = 0.0, confidence: float = 0.8) -> Case:
    """A question that members answer rightly or not; those that are wrong say the same."""
    heard = voices(*(answer(DISCARDED if right else KEPT, confidence=confidence) for right in rights))
    groups = [0 if right else 1 for right in rights]
    return Case(
        str(number),
        ASKED,
        f"d{number}",
        tuple(heard),
        tuple(groups),
        np.array([float(right and not refused) for right in rights]),
        refused,
        np.array([5.0, 10.0, 20.0]),
        np.array([0.0, 100.0, 100.0]),
        None if refused else np.array([0.4 if right else 0.1 for right in rights]),
    )


CASES = [
    *(case(n, True, True, False) for n in range(4)),
    *(case(n, True, False, True) for n in range(4, 8)),
    *(case(n, False, True, True) for n in range(8, 12)),
]


def test_the_report_shows_gain_cost_time_and_what_each_member_adds() -> None:
    rule = told("majority", 3)
    found = report("three", rule, CASES, lambda of: Elector(of, no_vectors))
    assert found["whole"]["worth"]["value"] == 1.0
    assert found["gain"]["worth"]["difference"] == pytest.approx(1 / 3)
    assert found["gain"]["worth"]["interval"][0] > 0
    assert found["whole"]["token_f1"]["value"] == pytest.approx(0.4)
    assert found["gain"]["token_f1"]["difference"] == pytest.approx(0.1)
    assert found["whole"]["tokens"] == 200
    assert (found["whole"]["ms_side_by_side"], found["whole"]["ms"]) == (20, 35)
    assert [each["adds"]["worth"]["difference"] > 0 for each in found["without"]] == [True] * 3
    assert found["no_gain"] == []
    page = markdown(found)
    assert page.count("\n| m0, m1 | -0.50 |") == 1
    assert "m0 adds +0.3" in page


def test_a_member_that_never_changes_the_answer_for_the_better_is_named() -> None:
    useless = [case(n, True, True, n % 2 == 0) for n in range(8)]
    found = report("three", told("majority", 3), useless, lambda of: Elector(of, no_vectors))
    assert "m2" in found["no_gain"]
    assert any("without gain here, leave out" in line and "m2" in line for line in lines_of(found))
    assert not any(", -," in line for line in lines_of(found))


def test_asking_one_by_one_costs_less_and_shows_what_it_keeps_of_the_gain() -> None:
    rule = told("majority", 3)
    sure = [case(n, True, False, False, confidence=1.0) for n in range(6)]
    unsure = [case(n, False, True, True, confidence=0.3) for n in range(6, 12)]
    found = report("three", rule, [*sure, *unsure], lambda of: Elector(of, no_vectors))
    half = next(each for each in found["one_by_one"] if each["if_below"] == 0.7)
    assert (
        half["figures"]["worth"]["value"] == 1.0
    )  # better than asking all: those that are sure are not outvoted
    assert half["figures"]["members_asked"] == pytest.approx(2.0)
    assert half["tokens_of_one_member"] == pytest.approx(1.0)


def test_refusals_are_measured_by_their_f1_and_a_question_without_its_documents_wants_one() -> None:
    item = Item("q", "en", ASKED, answers=("discarded",), places=(("d1.md", None),), group="d1")
    here, without = askings_of([item], without_documents=True)
    assert without.where == ("document!=d1.md",)
    assert here.group == without.group
    assert (here.worth(answer(refused=True)), without.worth(answer(refused=True))) == (0.0, 1.0)
    assert here.worth(answer(DISCARDED)) == 1.0  # it holds the expected text whole
    assert here.f1 is not None
    assert 0.3 < here.f1(answer(DISCARDED)) < 1.0
    unanswerable = [case(n, False, False, False, refused=1.0) for n in range(4)]
    found = report("three", told("majority", 3), [*CASES, *unanswerable], lambda of: Elector(of, no_vectors))
    assert found["whole"]["refusal_f1"]["value"] == 0.0
    assert found["whole"]["answerable"]["value"] == 1.0


def test_measures_of_how_alike_members_fail_are_those_of_the_literature() -> None:
    one = np.array([1, 1, 1, 0, 0, 1, 0, 1])
    other = np.array([1, 1, 0, 0, 1, 1, 0, 0])
    (found,) = alike(["a", "b"], np.array([one, other], float).T)
    assert found.phi == pytest.approx(np.corrcoef(one, other)[0, 1])
    assert found.q == pytest.approx((3 * 2 - 2 * 1) / (3 * 2 + 2 * 1))
    assert (found.disagreement, found.double_fault) == (3 / 8, 2 / 8)
    (always,) = alike(["a", "b"], np.array([np.ones(8), other], float).T)
    assert (always.phi, always.q) == (None, None)


def test_the_benchmark_holds_an_ensemble_against_its_best_member_by_each_figure() -> None:
    rule = told("majority", 3)
    unanswerable = [case(n, False, False, False, refused=1.0) for n in range(12, 16)]
    found = measured("three", rule, [*CASES, *unanswerable], Elector(rule, no_vectors))
    assert (found.questions, found.answerable) == (16, 12)
    assert found.gains["token_f1"]["always"]["difference"] == pytest.approx(0.1)
    assert found.gains["token_f1"]["as set"] == found.gains["token_f1"]["always"]
    assert found.gains["refusal_f1"]["always"]["difference"] == 0.0
    assert found.cost == {"tokens": 2.0, "time": 35 / 20}
    lines = table([found])
    assert any("always less m0, token_f1: +0.100" in line and "reached" in line for line in lines)
    assert any("refusal_f1: +0.000" in line and "not reached" in line for line in lines)


def test_the_benchmark_asks_of_documents_that_nothing_was_chosen_by() -> None:
    assert {each.fold for each in selections(Path("data"), Path("questions.jsonl")).values()} == {"2/2"}
