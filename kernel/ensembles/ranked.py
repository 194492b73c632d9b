"""Elections in which every voter ranks all candidates: Borda's count, and instant run-off.

Sources: Borda, "Mémoire sur les élections au scrutin" (1781), with equal places sharing their points; Ware's instant
run-off of 1871, in which whoever is first for the fewest leaves, until one is first for more than half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from kernel.ensembles.voices import Voice, agreement_of, cited_alike, support_of

Standing = tuple[float, ...]
_EVEN = 1e-9
RANKED = ("borda", "run_off")
"""The rules that need a ranking of every member."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """What one voter makes of the candidates, the groups of answers: the greater standing is preferred."""

    standings: Mapping[int, Standing]
    weight: float = 1.0


def ballots_of(
    voices: Sequence[Voice],
    groups: Sequence[int],
    weights: Sequence[float],
    likely: Mapping[int, Sequence[float]],
) -> list[Ballot]:
    """Return the ballots of the members that have a voice, and of three that judge all answers by their figures.

    A member prefers what it says itself, then what it finds likelier, by the likeliest wording of it; one that does not
    tell prefers answers that cite what it cites. Of equals it prefers those that are better supported.
    The three judge by support, by how far others cite the same, and by shortness; together they weigh as one member.
    """
    numbers = sorted(set(groups))
    of = {
        group: [voice for voice, own in zip(voices, groups, strict=True) if own == group] for group in numbers
    }
    supported = {group: max(support_of(voice.answer) for voice in of[group]) for group in numbers}
    found = []
    for place, (voice, own, weight) in enumerate(zip(voices, groups, weights, strict=True)):
        if weight:
            if place in likely:
                told = list(zip(groups, likely[place], strict=True))
                near = {group: max(value for other, value in told if other == group) for group in numbers}
            else:
                near = {
                    group: max(cited_alike(voice.answer, each.answer) for each in of[group])
                    for group in numbers
                }
            standings = {
                group: (float(group == own), 0.0 if group == own else near[group], supported[group])
                for group in numbers
            }
            found.append(Ballot(standings, weight))
    share = sum(weights) / max(1, len(found)) / 3
    agreed = {group: max(agreement_of(voice, voices) for voice in of[group]) for group in numbers}
    lengths = sorted(len(voice.answer.answer) for voice in voices if not voice.answer.refused)
    usual = lengths[len(lengths) // 2] if lengths else 0
    short = {
        group: -min(usual if voice.answer.refused else len(voice.answer.answer) for voice in of[group])
        for group in numbers
    }
    for judged in (supported, agreed, short):
        found.append(Ballot({group: (float(value),) for group, value in judged.items()}, share))
    return found


def borda(ballots: Sequence[Ballot]) -> dict[int, float]:
    """Return the points of each candidate, as a share of the most that it could have."""
    from scipy.stats import rankdata  # half a second, which only elections by points should take

    numbers = sorted(ballots[0].standings)
    points = dict.fromkeys(numbers, 0.0)
    for ballot in ballots:
        order = sorted(set(ballot.standings.values()))
        ranks = rankdata([order.index(ballot.standings[number]) for number in numbers])
        for number, rank in zip(numbers, ranks, strict=True):
            points[number] += ballot.weight * (float(rank) - 1)
    most = sum(ballot.weight for ballot in ballots) * max(1, len(numbers) - 1)
    return {number: value / most if most else 0.0 for number, value in points.items()}


def run_off(ballots: Sequence[Ballot], supported: Mapping[int, float]) -> tuple[dict[int, float], list[int]]:
    """Return the share of first places that each candidate had last, and those that were even in the end.

    Args:
        ballots: of all voters; whoever has several first shares its vote among them.
        supported: tells which of several that are first for the fewest leaves: the least supported.
    """
    left = set(ballots[0].standings)
    total = sum(ballot.weight for ballot in ballots)
    shares: dict[int, float] = {}
    while True:
        firsts = _firsts(ballots, left)
        shares |= {number: votes / total if total else 0.0 for number, votes in firsts.items()}
        most = max(firsts.values())
        leading = [number for number in left if firsts[number] >= most - _EVEN]
        if len(leading) == len(left):
            return shares, sorted(leading) if len(leading) > 1 else []
        if most > total / 2:
            return shares, []
        fewest = min(firsts.values())
        last = [number for number in left if firsts[number] <= fewest + _EVEN]
        left.remove(min(last, key=lambda number: (supported[number], -number)))


def _firsts(ballots: Sequence[Ballot], left: Set[int]) -> dict[int, float]:
    votes = dict.fromkeys(left, 0.0)
    for ballot in ballots:
        best = max(ballot.standings[number] for number in left)
        first = [number for number in left if ballot.standings[number] == best]
        for number in first:
            votes[number] += ballot.weight / len(first)
    return votes
