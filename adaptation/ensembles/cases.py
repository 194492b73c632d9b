"""Questions with the answers of an ensemble's members, and what each answer is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adaptation.ensembles.recording import Asking, Recorded, Records
from kernel.ensembles.election import Elected, Elector
from kernel.ensembles.settings import EnsembleSettings
from kernel.ensembles.voices import Voice


@dataclass(frozen=True, slots=True)
class Case:
    """A question that some members answered.

    Attributes:
        id: of the question.
        question: what was asked.
        group: its document.
        voices: the answers.
        groups: of the voices, those that say the same have one number.
        worth: of each member's answer, 0 for one that gave none, shape (members,).
        refused: what a refusal is worth.
        ms: how long each member took, alone, shape (members,).
        tokens: that each member took, shape (members,).
        f1: token F1 of each member's answer, shape (members,); None where there is no text to compare with.
    """

    id: str
    question: str
    group: str
    voices: tuple[Voice, ...]
    groups: tuple[int, ...]
    worth: NDArray[np.float64]
    refused: float
    ms: NDArray[np.float64]
    tokens: NDArray[np.float64]
    f1: NDArray[np.float64] | None = None

    def worth_of(self, elected: Elected) -> float:
        """Return what the answer is worth that was elected."""
        if elected.place is None:
            return self.refused
        return float(self.worth[self.voices[elected.place].member])


def cases_of(
    askings: Sequence[Asking], records: Records, told: EnsembleSettings, elector: Elector
) -> list[Case]:
    """Return the cases of recorded answers; a question that no member answered is left out. Blocks."""
    found = []
    for each in askings:
        one = [records[each.id, member.name] for member in told.members]
        voices = tuple(
            Voice(place, member.variant, record.answer)
            for place, (member, record) in enumerate(zip(told.members, one, strict=True))
            if record.answer is not None
        )
        if not voices:
            continue
        usages = [record.answer.usage if record.answer is not None else None for record in one]
        found.append(
            Case(
                id=each.id,
                question=each.question,
                group=each.group,
                voices=voices,
                groups=tuple(elector.groups(voices, each.question)),
                worth=np.array([each.worth(record.answer) if record.answer else 0.0 for record in one]),
                refused=each.refused,
                ms=np.array([record.ms for record in one]),
                tokens=np.array(
                    [usage.prompt_tokens + usage.completion_tokens if usage else 0 for usage in usages],
                    np.float64,
                ),
                f1=_f1s(each, one),
            )
        )
    return found


def _f1s(asking: Asking, records: Sequence[Recorded]) -> NDArray[np.float64] | None:
    if asking.f1 is None:
        return None
    return np.array([asking.f1(record.answer) if record.answer else 0.0 for record in records])
