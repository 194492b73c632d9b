"""What an answer is worth to a policy: parts from 0 to 1, weighed as the settings say.

`correct` comes from people, or from a set of questions with what is expected; `supported`, `short` and `fast` are told
of every answer. A part that cannot be told, such as the time of a stored answer, is left out of the mean. Whether an
answer that nobody rated is right is not known: it counts half, and a little more where one of its sources was opened,
so that ratings of few answers can be set against the rest.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Protocol

from kernel.answer import Answer, ClaimStatus
from kernel.conversation.context import without_markers
from kernel.policies.settings import RewardSettings
from retrieval.errors import UsageError

UNRATED = 0.5
OPENED = 0.6
"""A source that was opened says that an answer was of use, or in doubt: little either way."""
_CHARACTERS = 400.0
_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What can be told of an answer at once; None where it cannot."""

    supported: float | None
    characters: int
    seconds: float | None

    @staticmethod
    def of(answer: Answer) -> Outcome:
        """Return what can be told of an answer; a stored one does not tell what it took."""
        claims = answer.claims
        held = sum(claim.status == ClaimStatus.SUPPORTED for claim in claims)
        supported = held / len(claims) if claims and not answer.refused else None
        milliseconds = answer.timings_ms.get("total") if answer.cache is None else None
        return Outcome(
            supported,
            len(without_markers(answer.answer)),
            None if milliseconds is None else milliseconds / 1000,
        )


class Rating(Protocol):
    """What somebody said of an answer, whose JSON is in `data`."""

    @property
    def user(self) -> str: ...  # noqa: D102
    @property
    def at(self) -> str: ...  # noqa: D102
    @property
    def rating(self) -> str: ...  # noqa: D102
    @property
    def data(self) -> Mapping[str, Any]: ...  # noqa: D102


def reward_of(outcome: Outcome, correct: float, weights: RewardSettings) -> float:
    """Return the reward of an answer, 0 to 1: the weighed mean of what can be told of it."""
    parts = {
        "correct": correct,
        "supported": outcome.supported,
        "short": 1 / (1 + outcome.characters / _CHARACTERS),
        "fast": None if outcome.seconds is None else 1 / (1 + max(0.0, outcome.seconds) / _SECONDS),
    }
    known = {name: part for name, part in parts.items() if part is not None}
    weighed = weights.model_dump()
    whole = sum(weighed[name] for name in known)
    # Where nothing that counts can be told, the answer says nothing for or against.
    return sum(weighed[name] * part for name, part in known.items()) / whole if whole else UNRATED


def check_rewards(rewards: Iterable[float], names: Sequence[str]) -> None:
    """Check that rewards are numbers from 0 to 1.

    Raises:
        UsageError: one is not; names its row.
    """
    for row, (reward, name) in enumerate(zip(rewards, names, strict=True), start=1):
        if not math.isfinite(reward):
            raise UsageError(
                f"row {row} ({name}) has the reward {reward}, which is no number: mend or leave it out"
            )
        if not 0 <= reward <= 1:
            raise UsageError(f"row {row} ({name}) has the reward {reward:g}, which is not between 0 and 1")


def similarity(answer: str, correction: str) -> float:
    """Return how much of an answer an expert's correction left as it was, 0 to 1 (Ratcliff and Obershelp, 1988)."""
    return SequenceMatcher(None, without_markers(answer), correction, autojunk=False).ratio()


def ratings_by_decision(said: Sequence[Rating], *, per_day: int) -> dict[str, float]:
    """Return how right the answers of decisions are by what people said, 0 to 1, by the decision's name.

    A thumb up is 1, down 0; a correction is how much it left as it was. The last word of each user on an answer
    counts, and of several users their mean. Of one user and day no more than `per_day` answers count, the first that
    were rated, so that nobody can decide alone what is learnt.
    """
    last: dict[tuple[str, str], tuple[str, float]] = {}
    for each in said:
        answer = each.data.get("answer") or {}
        decision = str((answer.get("policy") or {}).get("decision") or "")
        if not decision:
            continue
        correction = str(each.data.get("correction") or "")
        right = (
            similarity(str(answer.get("answer") or ""), correction)
            if correction
            else float(each.rating == "up")
        )
        first = last.get((each.user, decision))
        last[each.user, decision] = (first[0] if first else each.at[:10], right)
    taken: dict[tuple[str, str], int] = defaultdict(int)
    found: dict[str, list[float]] = defaultdict(list)
    for (user, decision), (day, right) in last.items():
        if taken[user, day] < per_day:
            taken[user, day] += 1
            found[decision].append(right)
    return {decision: sum(each) / len(each) for decision, each in found.items()}
