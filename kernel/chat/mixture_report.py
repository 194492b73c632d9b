"""What a service tells of a mixture that wrote an answer."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.answer import EnsembleReport, MemberAnswer

METADATA = "mixture"
"""What it is called among what the last message of a request tells."""


@dataclass(frozen=True, slots=True)
class MemberShare:
    """A member, its share of the weight from 0 to 1, and why it took no part; empty where it did, or has no weight."""

    variant: str
    weight: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class MixtureReport:
    """The rule, who was mixed, and the kind of question that the weights are for; empty where they are for all."""

    rule: str
    members: tuple[MemberShare, ...]
    kind: str = ""

    def shown(self, technique: str, explanation: str) -> EnsembleReport:
        """Return it as answers show it."""
        return EnsembleReport(
            rule=self.rule,
            members=[
                MemberAnswer(
                    variant=each.variant,
                    technique=technique,
                    weight=round(each.weight, 4),
                    error=each.error,
                )
                for each in self.members
            ],
            explanation=explanation,
        )
