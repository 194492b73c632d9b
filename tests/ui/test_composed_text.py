"""How composed answers were found, in words."""

from __future__ import annotations

import json

from kernel.answer import EnsembleReport, MemberAnswer
from tests.ui.composed import ensemble_answer, pipeline_answer, policy_answer
from tests.ui.conftest import make_answer
from ui.composed_text import is_composed, lines, sections, summary


def test_a_vote_in_one_line_names_who_was_chosen_who_agrees_and_who_said_nothing() -> None:
    assert summary(ensemble_answer(), "en") == (
        "majority vote: extractive was chosen; 2 of 5 members say the same · without an answer: slow · not asked: big"
    )
    assert "the vote was even" in summary(ensemble_answer(tie=True), "en")
    assert summary(ensemble_answer(), "ja").startswith(
        "多数決: extractive を採用(メンバー 5 件中 2 件が同じ内容)"
    )
    assert summary(ensemble_answer(rule="linear"), "en").startswith(
        "mixed token by token (linear): extractive 0.5, base 1, base 2"
    )


def test_members_without_a_voice_of_their_own_are_not_counted_in_a_vote() -> None:
    report = ensemble_answer().ensemble
    assert report is not None

    def told(*weights: float) -> str:
        members = [
            report.members[0].model_copy(update={"weight": weight, "chosen": place == 0})
            for place, weight in enumerate(weights)
        ]
        found = EnsembleReport(rule="majority", members=members)
        return summary(make_answer().model_copy(update={"ensemble": found}), "en")

    assert told(1, 1, 0) == "majority vote: extractive (Zero-shot) was chosen; 2 of 2 members say the same"
    assert told(1, 0, 0) == "majority vote: extractive (Zero-shot) was chosen, the only answer that counts"
    failed = report.model_copy(update={"members": [report.members[0], report.members[-1]], "not_asked": []})
    answer = make_answer().model_copy(update={"ensemble": failed})
    assert summary(answer, "en").endswith(
        "extractive was chosen, the only answer that counts · without an answer: slow"
    )
    lone = report.model_copy(update={"members": report.members[:2]})
    answer = make_answer().model_copy(update={"ensemble": lone})
    assert summary(answer, "en").startswith(
        "majority vote: extractive was chosen; no other of 2 members says the same"
    )


def test_a_member_asked_in_several_ways_is_named_with_the_way() -> None:
    report = ensemble_answer().ensemble
    assert report is not None
    other = [
        member.model_copy(update={"chosen": place == 2, "group": None})
        for place, member in enumerate(report.members)
    ]
    answer = make_answer().model_copy(update={"ensemble": EnsembleReport(rule="stacked", members=other)})
    assert summary(answer, "en").startswith(
        "chosen by a trained model: base (Few-shot) was chosen of 5 members"
    )
    alone = EnsembleReport(rule="majority", members=report.members[:1], not_asked=["base"])
    answer = make_answer().model_copy(update={"ensemble": alone})
    assert summary(answer, "en") == "extractive alone was asked · not asked: base"
    nobody = [MemberAnswer(variant="base", technique="", error="no")]
    answer = make_answer().model_copy(update={"ensemble": EnsembleReport(rule="own", members=nobody)})
    assert summary(answer, "en") == "own: no answer of 1 members was chosen · without an answer: base"


def test_members_that_say_the_same_stand_together_what_was_taken_first() -> None:
    first, agree, *rest = sections(ensemble_answer(tie=True), "en")
    assert (first.title, first.notes[0]) == ("Majority vote", "The most say 24 months.")
    assert (
        first.notes[1]
        == "The vote was even between these answers:\n- It lasts 24 months.\n- It lasts 36 months."
    )
    assert first.notes[2] == "Not asked, since the answers before were sure enough: big"
    assert agree.title == "2 say the same"
    assert [(each.name, each.detail, each.chosen) for each in agree.entries] == [
        ("extractive", "Zero-shot", True),
        ("base", "Few-shot", False),
    ]
    assert agree.entries[0].facts == (
        "weight 0.5",
        "score 0.81",
        "confidence 72%",
        "stored answer",
        "1.2 s",
    )
    assert [section.title for section in rest] == [
        "Said by one alone",
        "Said by one alone",
        "Not counted",
    ]
    assert rest[1].entries[0].refused
    assert rest[2].entries[0].error == "No answer: it took longer than 5 s"


def test_steps_are_numbered_and_the_one_that_failed_is_told() -> None:
    (steps,) = sections(pipeline_answer(), "en")
    assert [(each.name, each.detail, each.text) for each in steps.entries[:3]] == [
        ("1. to-english", "translate · base", "How long?"),
        ("2. mood", "classify · base", "calm"),
        ("3. ask", "answer", "24 months."),
    ]
    assert steps.entries[0].facts == ("0.7 s", "40 + 5 tokens")
    assert steps.entries[0].notes == ("The text was read in 2 pieces.",)
    assert steps.entries[1].facts == ("calm 90%", "angry 10%")
    assert (steps.entries[3].detail, json.loads(steps.entries[3].text)) == ("stamp", {"months": 24})
    assert steps.notes == ()
    (steps,) = sections(pipeline_answer(failed=True), "ja")
    assert steps.entries[1].error == "ここで止まりました: it gave no label"
    assert "以降の工程は実行していません" in steps.notes[0]
    assert summary(pipeline_answer(failed=True), "en") == (
        "steps: to-english → mood · it stopped at step mood"
    )


def test_a_choice_is_told_with_its_probability_and_reason() -> None:
    (choice,) = sections(policy_answer(), "en")
    assert choice.notes == (
        "base, Few-shot, temperature 0.3, 4 passages, chosen with probability 85%, the safe default",
        "It did best with short questions.",
    )
    assert summary(policy_answer(), "ja").startswith("選択: base、フューショット")


def test_an_answer_of_one_variant_has_nothing_to_tell() -> None:
    answer = make_answer()
    assert not is_composed(answer)
    assert (summary(answer, "en"), sections(answer, "en"), lines(answer, "en")) == ("", [], [])
