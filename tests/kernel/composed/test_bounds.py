"""Reports of composed answers are kept with conversations, and take a bounded room there."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel.answer import PipelineReport, PipelineStep
from kernel.composed.bounds import MOST_CHARACTERS, MOST_PARTS, bounded
from kernel.conversations import Conversations, kept_answer
from retrieval.access import caller
from tests.ui.composed import ensemble_answer, pipeline_answer, policy_answer
from tests.ui.conftest import make_answer


def test_what_is_short_is_kept_as_it_is() -> None:
    for answer in (make_answer(), ensemble_answer(tie=True), pipeline_answer(failed=True), policy_answer()):
        assert bounded(answer) == answer


def test_long_answers_many_members_and_large_outputs_are_cut_and_what_was_taken_stays() -> None:
    answer = ensemble_answer(text="語" * 50_000)
    assert answer.ensemble is not None
    taken, *others = answer.ensemble.members
    crowd = answer.ensemble.model_copy(
        update={"members": [*others * 30, taken], "tie": ["x" * 9000], "explanation": "y" * 9000}
    )
    report = bounded(answer.model_copy(update={"ensemble": crowd})).ensemble
    assert report is not None
    assert len(report.members) == MOST_PARTS
    assert report.members[-1].chosen
    assert len(report.members[-1].answer) == MOST_CHARACTERS
    assert len(report.tie[0]) == len(report.explanation) == MOST_CHARACTERS

    steps = [
        PipelineStep(name="a", kind="extract", output={"rows": list(range(9000))}),
        PipelineStep(name="b", kind="extract", output={"rows": [1]}, error="e" * 9000),
    ]
    answer = pipeline_answer().model_copy(update={"pipeline": PipelineReport(steps=steps)})
    kept = bounded(answer).pipeline
    assert kept is not None
    assert isinstance(kept.steps[0].output, str)
    assert len(kept.steps[0].output) == MOST_CHARACTERS
    assert kept.steps[1].output == {"rows": [1]}
    assert len(kept.steps[1].error) < 1000


@pytest.mark.parametrize("answer", [ensemble_answer(tie=True), pipeline_answer(failed=True), policy_answer()])
def test_a_conversation_gives_the_report_back(tmp_path: Path, answer: object) -> None:
    kept = Conversations(tmp_path / "memory", tmp_path / "memory")
    kept.keep("c", answer, caller=caller("aki"))  # type: ignore[arg-type]
    (turn,) = kept.read("c", caller=caller("aki"))
    assert kept_answer(turn) == answer
