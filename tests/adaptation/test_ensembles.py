"""Ensembles fitted to recorded answers: what is learned, how honest its figure is, and what is kept of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adaptation.ensembles.cases import Case
from adaptation.ensembles.fitting import fit
from adaptation.ensembles.recording import Journal, Recorded
from kernel.ensembles.election import Elector
from kernel.ensembles.fitted import Fitted, read_fitted, write_fitted
from kernel.ensembles.settings import EnsembleSettings
from retrieval.errors import UsageError
from tests.kernel.ensembles.made import answer, no_vectors, told, voices

ASKED = "What is done with it?"


def cases(count: int, *, by_chance: bool = False, seed: int = 0) -> list[Case]:
    """Questions of which the better supported answer is right, or where nothing tells which is; some have none."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        right = int(random.integers(0, 2))
        answerable = number % 4 != 0
        scores = [0.95 if place == right else 0.82 for place in range(2)]
        if by_chance:
            random.shuffle(scores)
        sure = 0.9 if answerable else 0.35
        heard = voices(
            answer("It is discarded.", score=scores[0], confidence=sure),
            answer("It is kept cold.", score=scores[1], confidence=sure),
        )
        worth = [float(answerable and place == right) for place in range(2)]
        found.append(
            Case(
                id=str(number),
                question=ASKED,
                group=f"d{number % 12}",
                voices=tuple(heard),
                groups=(0, 1),
                worth=np.array(worth),
                refused=float(not answerable),
                ms=np.array([1.0, 2.0]),
                tokens=np.array([10.0, 20.0]),
            )
        )
    return found


def electors(rule: EnsembleSettings):  # type: ignore[no-untyped-def]
    return lambda fitted: Elector(rule, no_vectors, fitted)


def test_a_fitted_choice_prefers_what_its_writer_found_likely_where_that_is_all_there_is_to_tell() -> None:
    random = np.random.default_rng(1)
    rule, found = told("stacked", 3), []
    for case in cases(120):
        right = int(random.integers(0, 2))
        likely = [-0.2 if place == right else -1.6 for place in range(2)]
        heard = voices(
            answer("It is discarded.").model_copy(update={"log_probability": likely[0]}),
            answer("It is kept cold.").model_copy(update={"log_probability": likely[1]}),
            answer("Nobody knows it.", score=0.5),
        )
        worth = np.array([float(place == right) for place in range(3)])
        nothing = np.zeros(3)
        found.append(
            replace(
                case,
                voices=tuple(heard),
                groups=(0, 1, 2),
                worth=worth,
                refused=0,
                ms=nothing,
                tokens=nothing,
            )
        )
    made = fit(found, rule, electors(rule))
    assert made.worth.mean() > 0.9


def test_a_fitted_choice_takes_the_better_answer_and_rejects_where_none_is_right() -> None:
    rule = told("stacked", 2)
    found = fit(cases(120), rule, electors(rule))
    assert found.worth.mean() > 0.9  # the best member has about 0.37
    elector = Elector(rule, no_vectors, found.fitted)
    sure = answer("It is discarded.", score=0.82), answer("It is kept cold.", score=0.95)
    assert elector.elect(voices(*sure), ASKED).place == 1
    unsure = [answer("It is discarded.", score=0.82, confidence=0.35)] * 2
    rejected = elector.elect(voices(*unsure), ASKED)
    assert rejected.place is None
    assert rejected.answer.refused
    assert rejected.answer.citations == []


def test_what_was_learned_by_chance_shows_no_gain_on_documents_left_out() -> None:
    rule = told("stacked", 2)
    learned = cases(96, by_chance=True)
    found = fit(learned, rule, electors(rule))
    best = max(np.mean([case.worth[place] + case.refused for case in learned]) for place in range(2))
    assert found.worth.mean() < best + 0.05


def test_weights_are_learned_and_a_member_that_is_mostly_wrong_loses_its_voice() -> None:
    rule = told("weighted", 3)
    made = []
    for number in range(40):
        heard = voices(answer("It is discarded.", score=0.85), *[answer("It is kept.", score=0.95)] * 2)
        made.append(
            Case(
                str(number),
                ASKED,
                f"d{number % 8}",
                tuple(heard),
                (0, 1, 1),
                np.array([1.0, 0.0, 0.0]),
                0.0,
                np.ones(3),
                np.ones(3),
            )
        )
    found = fit(made, rule, electors(rule))
    assert found.worth.mean() == 1.0
    weights = found.fitted.weights
    assert weights is not None
    assert weights[0] > weights[1] + weights[2]


def test_too_few_documents_or_nothing_to_fit_are_refused() -> None:
    rule = told("stacked", 2)
    few = [case for case in cases(60) if case.group in ("d0", "d1")]
    with pytest.raises(UsageError, match="4 documents"):
        fit(few, rule, electors(rule))
    majority = told("majority", 2)
    with pytest.raises(UsageError, match="nothing to be fitted"):
        fit(cases(60), majority, electors(majority))


@pytest.fixture(scope="module")
def made() -> Fitted:
    rule = told("stacked", 2)
    return fit(cases(60), rule, electors(rule)).fitted


@pytest.fixture
def kept(made: Fitted, tmp_path: Path) -> tuple[EnsembleSettings, Path, Fitted]:
    rule = told("stacked", 2)
    fitted = made.model_copy(update={"revisions": {"m0": "r0", "m1": "r1"}})
    write_fitted(tmp_path / "e.json", fitted)
    return rule, tmp_path / "e.json", fitted


def test_what_was_fitted_is_plain_json_and_read_again_as_it_was(
    kept: tuple[EnsembleSettings, Path, Fitted],
) -> None:
    rule, path, fitted = kept
    assert json.loads(path.read_text(encoding="utf-8"))["stacked"]["features"]
    assert read_fitted("e", rule, path, {"m0": "r0", "m1": "r1"}) == fitted


def _changed(path: Path, **changes: object) -> None:
    held = json.loads(path.read_text(encoding="utf-8"))
    held["stacked"] |= changes
    path.write_text(json.dumps(held), encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "revisions", "why"),
    [
        ({}, {"m0": "r0", "m1": "new"}, "m1 is not as it was"),
        ({"features": ["refused"]}, {"m0": "r0"}, "another version"),
        ({"weights": [1.0]}, {"m0": "r0"}, "another version"),
        ({"bias": float("nan")}, {"m0": "r0"}, "no fitted ensemble"),
    ],
)
def test_what_does_not_fit_the_members_any_more_is_refused(
    kept: tuple[EnsembleSettings, Path, Fitted],
    changes: dict[str, object],
    revisions: dict[str, str],
    why: str,
) -> None:
    rule, path, _ = kept
    _changed(path, **changes)
    with pytest.raises(UsageError, match=why):
        read_fitted("e", rule, path, revisions)


def test_answers_are_recorded_line_by_line_and_a_line_cut_by_a_kill_is_asked_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.jsonl", {"program": "1"})
    ones: Sequence[Recorded] = [
        Recorded(id=str(number), member="m0", answer=answer("It is kept."), ms=1.0) for number in range(3)
    ]
    journal.begin({})
    for one in ones:
        journal.add(one)
    text = journal.path.read_text(encoding="utf-8")
    journal.path.write_text(text[:-20], encoding="utf-8")
    assert journal.read() == {(one.id, one.member): one for one in ones[:2]}
    assert Journal(journal.path, {"program": "2"}).read() == {}
