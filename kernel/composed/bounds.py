"""Reports of composed answers cut to a bounded size, for where answers are kept for long."""

from __future__ import annotations

import json
from typing import Any

from kernel.answer import Answer, EnsembleReport, MemberAnswer, PipelineReport, PipelineStep

MOST_PARTS = 64
"""Members or steps that are kept."""
MOST_CHARACTERS = 4000
"""Of a member's answer, or of what a step gave."""
_MOST_SAID = 500
"""Of an error, or a reason."""


def bounded(answer: Answer) -> Answer:
    """Return an answer whose reports are cut to a bounded size; the answer itself stays whole."""
    changed: dict[str, Any] = {}
    if answer.ensemble is not None:
        changed["ensemble"] = _ensemble(answer.ensemble)
    if answer.pipeline is not None:
        changed["pipeline"] = bounded_steps(answer.pipeline)
    if answer.policy is not None:
        reason = _cut(answer.policy.reason, _MOST_SAID)
        changed["policy"] = answer.policy.model_copy(update={"reason": reason})
    return answer.model_copy(update=changed) if changed else answer


def bounded_steps(report: PipelineReport) -> PipelineReport:
    """Return what steps gave, cut to a bounded size."""
    return report.model_copy(update={"steps": [_step(step) for step in report.steps[:MOST_PARTS]]})


def _ensemble(report: EnsembleReport) -> EnsembleReport:
    # The answer that was taken is kept, however far behind it stands.
    members = sorted(enumerate(report.members), key=lambda pair: (not pair[1].chosen, pair[0]))[:MOST_PARTS]
    return report.model_copy(
        update={
            "members": [_member(member) for _, member in sorted(members, key=lambda pair: pair[0])],
            "not_asked": report.not_asked[:MOST_PARTS],
            "tie": [_cut(text, MOST_CHARACTERS) for text in report.tie[:MOST_PARTS]],
            "explanation": _cut(report.explanation, MOST_CHARACTERS),
        }
    )


def _member(member: MemberAnswer) -> MemberAnswer:
    short = {"answer": _cut(member.answer, MOST_CHARACTERS), "error": _cut(member.error, _MOST_SAID)}
    return member.model_copy(update=short)


def _step(step: PipelineStep) -> PipelineStep:
    output = step.output
    if not isinstance(output, str):
        written = json.dumps(output, ensure_ascii=False, default=str)
        output = output if len(written) <= MOST_CHARACTERS else written
    if isinstance(output, str):
        output = _cut(output, MOST_CHARACTERS)
    notices = [_cut(notice, _MOST_SAID) for notice in step.notices[:MOST_PARTS]]
    return step.model_copy(
        update={"output": output, "error": _cut(step.error, _MOST_SAID), "notices": notices}
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
