"""What an answer tells of the members whose mixture wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.answering.texts import say
from kernel.chat.mixture_report import METADATA, MixtureReport

if TYPE_CHECKING:
    from kernel.answering.run import Run

_KINDS = {
    "yes_no": ("yes or no", "はい・いいえ"),
    "number": ("number", "数値"),
    "name": ("name", "名前"),
    "reason": ("reason", "理由・方法"),
    "list": ("list", "列挙"),
    "other": ("other", "その他"),
}


def name_members(run: Run) -> None:
    """Take what a mixture tells of its members into an answer; of those that took no part, a notice too."""
    told = run.metadata.get(METADATA)
    if not isinstance(told, MixtureReport):
        return
    language = run.language
    explanation = [say(f"mixed_{told.rule}", language)]
    if told.kind:
        explanation.append(say("weighed_by_kind", language, kind=_KINDS[told.kind][language == "ja"]))
    run.ensemble = told.shown(run.technique.value, ("" if language == "ja" else " ").join(explanation))
    out = [member for member in told.members if member.error]
    run.notices += [say("member_left_out", language, variant=each.variant, reason=each.error) for each in out]
    left = [member for member in told.members if member.weight and not member.error]
    if out and len(left) == 1:
        run.notices.append(say("one_member_left", language, variant=left[0].variant))
