"""One answer out of several: the rules over whole answers. Holds nothing of a question, asks nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kernel.answer import Answer, FinishReason
from kernel.answering.texts import say
from kernel.ensembles.clusters import Embed, grouped
from kernel.ensembles.features import features_of
from kernel.ensembles.fitted import Fitted
from kernel.ensembles.kinds import kind_of_question
from kernel.ensembles.ranked import RANKED, ballots_of, borda, run_off
from kernel.ensembles.settings import EnsembleSettings
from kernel.ensembles.voices import Voice, support_of, sureness_of

_EVEN = 1e-9


@dataclass(frozen=True, slots=True)
class Elected:
    """The answer that was elected.

    Attributes:
        answer: that was taken.
        place: of its voice; None where every answer was rejected.
        groups: of each voice, those that say the same have one number.
        weights: what each voice counted; None where the rule weighs none.
        scores: what the rule made of each voice.
        tie: the places of answers between which it was even, one of each group, best supported first.
        sureness: how sure the answer is, 0 to 1.
        is_settled: whether no voice of the members that were not heard could change it.
    """

    answer: Answer
    place: int | None
    groups: list[int]
    weights: list[float] | None
    scores: list[float]
    tie: list[int]
    sureness: float
    is_settled: bool


class Elector:
    """Elects answers by the rule of an ensemble."""

    def __init__(self, told: EnsembleSettings, embed: Embed, fitted: Fitted | None = None) -> None:
        """Take the rule and its figures.

        Args:
            told: what the settings say of the ensemble.
            embed: gives vectors of texts; called where answers are compared by meaning alone.
            fitted: what was fitted; a rule that needs it has it.
        """
        self._told, self._embed, self._fitted = told, embed, fitted
        self.members = [member.name for member in told.members]

    def groups(self, voices: Sequence[Voice], question: str) -> list[int]:
        """Return the group of each voice: those that say the same have one number. Blocks."""
        answers = [voice.answer for voice in voices]
        return grouped(answers, question, same_meaning=self._told.same_meaning, embed=self._embed)

    def elect(
        self,
        voices: Sequence[Voice],
        question: str,
        groups: Sequence[int] | None = None,
        likely: Mapping[int, Sequence[float]] | None = None,
    ) -> Elected:
        """Elect one of the answers, one at least. Blocks.

        Args:
            voices: the answers.
            question: what was asked.
            groups: of the voices, where they are known already.
            likely: how likely members find each voice's answer, by the place of their own voice, of those that tell it.
        """
        groups = list(groups) if groups is not None else self.groups(voices, question)
        if self._told.rule == "stacked":
            return self._stacked(voices, groups, question)
        given = self.weights(question)
        heard = [given[voice.member] for voice in voices]
        own = any(voice.is_own and weight for voice, weight in zip(voices, heard, strict=True))
        weights = [
            weight if voice.is_own or not own else 0.0 for voice, weight in zip(voices, heard, strict=True)
        ]
        if not sum(weights):
            weights = [1.0] * len(voices)
        best = _best_supported(voices, groups, weights)
        supported = {group: support_of(voices[place].answer) for group, place in best.items()}
        even: list[int] = []
        if self._told.rule in RANKED:
            ballots = ballots_of(voices, groups, weights, likely or {})
            if self._told.rule == "borda":
                scores = borda(ballots)
            else:
                scores, even = run_off(ballots, supported)
        else:
            total = sum(weights)
            scores = {
                group: sum(weight for weight, own in zip(weights, groups, strict=True) if own == group)
                / total
                for group in best
            }
        most = max(scores.values())
        even = even or [group for group, score in scores.items() if score >= most - _EVEN]
        # The first of equals, so that the same answers give the same one.
        order = sorted(even, key=lambda group: (-supported[group], best[group]))
        place = best[order[0]]
        return Elected(
            answer=voices[place].answer,
            place=place,
            groups=groups,
            weights=weights,
            scores=[scores[group] for group in groups],
            tie=[best[group] for group in order] if len(order) > 1 else [],
            sureness=sureness_of(voices[place].answer),
            is_settled=self._is_settled(voices, groups, weights, order[0], given),
        )

    def is_enough(self, elected: Elected) -> bool:
        """Say whether no further member has to be asked, where they are asked one by one."""
        below = self._told.if_below
        return elected.is_settled or (below is not None and elected.sureness >= below)

    def weights(self, question: str) -> list[float]:
        """Return what each member's voice counts for a question; all the same where the rule weighs none."""
        if self._told.rule == "majority":
            return [1.0] * len(self._told.members)
        kind = kind_of_question(question)
        if self._fitted is not None and self._fitted.weights is not None:
            return self._fitted.kinds.get(kind, self._fitted.weights)
        return [member.weight_for(kind) for member in self._told.members]

    def _is_settled(
        self,
        voices: Sequence[Voice],
        groups: Sequence[int],
        weights: Sequence[float],
        leading: int,
        given: Sequence[float],
    ) -> bool:
        """Say whether the leading group has more than all that the others have or could still get."""
        if self._told.rule not in ("majority", "weighted"):
            return len(voices) == len(given)
        heard = {voice.member for voice in voices}
        left = sum(weight for place, weight in enumerate(given) if place not in heard)
        for_it = sum(weight for weight, own in zip(weights, groups, strict=True) if own == leading)
        most = max((_votes(weights, groups, other) for other in set(groups) if other != leading), default=0.0)
        return for_it > most + left or len(voices) == len(given)

    def _stacked(self, voices: Sequence[Voice], groups: list[int], question: str) -> Elected:
        assert self._fitted is not None
        assert self._fitted.stacked is not None
        candidates = candidates_of(voices, groups)
        features = features_of(*candidates, question, self.members)
        likely = self._fitted.stacked.likely(features)
        place = int(likely.argmax())
        taken = candidates[0][place]
        return Elected(
            answer=taken.answer,
            place=place if place < len(voices) else None,
            groups=groups,
            weights=None,
            scores=[float(value) for value in likely[: len(voices)]],
            tie=[],
            sureness=float(likely[place]),
            is_settled=len(voices) == len(self.members),
        )


def candidates_of(voices: Sequence[Voice], groups: Sequence[int]) -> tuple[list[Voice], list[int]]:
    """Return what a fitted model chooses from: the voices, and a refusal where none of them is one."""
    if any(voice.answer.refused for voice in voices):
        return list(voices), list(groups)
    return [*voices, Voice(-1, "", refusal_of(voices[0].answer))], [*groups, max(groups) + 1]


def refusal_of(answer: Answer) -> Answer:
    """Return the refusal that stands in the place of an answer, over the same passages."""
    nothing: Mapping[str, object] = {
        "answer": say("refusal", answer.language),
        "refused": True,
        "citations": [],
        "unsupported": [],
        "claims": [],
        "contradictions": [],
        "short_answer": None,
        "reasoning": None,
        "samples": None,
        "finish_reason": FinishReason.REFUSED,
    }
    return answer.model_copy(update=nothing)


def _best_supported(
    voices: Sequence[Voice], groups: Sequence[int], weights: Sequence[float]
) -> dict[int, int]:
    """Return the place of the best supported answer of each group, those first that have a voice of their own."""
    best: dict[int, int] = {}
    for place, group in enumerate(groups):
        if group not in best or _worth(voices, weights, place) > _worth(voices, weights, best[group]):
            best[group] = place
    return best


def _worth(voices: Sequence[Voice], weights: Sequence[float], place: int) -> tuple[bool, float]:
    return weights[place] > 0, support_of(voices[place].answer)


def _votes(weights: Sequence[float], groups: Sequence[int], of: int) -> float:
    return sum(weight for weight, group in zip(weights, groups, strict=True) if group == of)
