"""Whether a sentence says a thing or denies it, clause by clause, and in which direction its limits go.

「できる」 is not 「できない」, "must be stored" not "must not be stored", "at least 5 mg" not "at most 5 mg". Rules
over words, not a parser: clauses of the claim are held against those of the evidence that share most words with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retrieval.analysis import analyze, normalize

_CLAUSES = re.compile(
    r"[;。！？!?\n]|(?<=\D),(?=\s)|、|\s[–—-]\s|\b(?:but|however|although|though|unless|whereas|while|if|when)\b"
    r"|(?<=[すいるただ])が(?=、|\s)|けれども?|ものの"
)
# Say yes by saying no twice, or do not deny at all.
_NO_DENIALS = re.compile(
    r"(?:なければ|ねば|ないと|なくては|なきゃ)(?:な[らり]|いけ)(?:ない|ません|ず|なかった)"
    r"|ざるを得(?:ない|ません)|かもしれ(?:ない|ません)|に違い(?:ない|ありません)|だけでは?なく|のみならず|少なくとも|やむを得ない"
    r"|ほか(?:は)?ない|とは限らない|間もなく|問題(?:は)?(?:ない|ありません)|差し支え(?:ない|ありません)|漏れなく|もれなく|ご遠慮なく"
    r"|\bnot only\b|\bnot? (?:more|less|later|fewer) than\b"
    r"|\bnot exceed(?:ing)?\b|\bwhether or not\b|\bno\.\s?\d"
)
_DENIALS = re.compile(
    r"\bnot\b|n['’]t\b|\bcannot\b|\bnever\b|\bno\b|\bnone\b|\bneither\b|\bnor\b|\bwithout\b|\bunable\b|\bunnecessary\b"
    r"|\b(?:prohibit|forbid|forbidden|disallow|refus|refrain|exclud|avoid)\w*"
    r"|\bfail(?:s|ed)? to\b|\binvalid\b|\bimpossible\b"
    r"|(?:で[きは])?ない(?!ように)|なかった|なく(?:な[らっりる])?(?=、|て|$)|ません|ぬ(?=$|、)|ずに|ず(?=、|$|、)"
    r"|不可|不要|不能|禁止|禁じ|禁ずる|厳禁|無効|対象外|除く|除外|避け"
)
_AT_LEAST = re.compile(
    r"\b(?:at least|not? less than|no fewer than|minimum|or more|or longer|or above|from)\b"
    r"|(?<!no )(?<!not )\b(?:more than|longer than|over|above|exceed\w*)\b"
    r"|以上|以降|超え|超過|を超|より(?:多|長|高|大)|最低|少なくとも|下限"
)
_AT_MOST = re.compile(
    r"\b(?:at most|not? more than|no later than|not exceed\w*|maximum|up to|or less|or below|or fewer|within|until)\b"
    r"|(?<!no )(?<!not )\b(?:less than|fewer than|under|below)\b"
    r"|以下|以内|以前|未満|まで|より(?:少|短|低|小)|最大|最高で|上限"
)
LIMIT_WORDS = frozenset(
    """
    least less more most fewer maximum minimum max min within over under above below up
    exceed later earlier longer shorter
    以上 以下 以内 以降 以前 未満 最低 最大 最小 上限 下限 少なくとも 超える 迄 まで 最高
    """.split()
)
"""Words of limits: their direction is compared, so that they need not be the same."""
_NEAR = 14
"""Characters before and behind a figure in which the word for its direction stands."""
_SHARED = 0.5
"""The weighted share of a clause's words that the other must have to be about the same thing."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence: its words, and whether they are denied."""

    words: frozenset[str]
    denied: bool


def clauses(text: str) -> list[Clause]:
    """Return the clauses of a text that have words of their own."""
    found: list[Clause] = []
    normalised = normalize(text)
    start = 0
    for end in [*(match.start() for match in _CLAUSES.finditer(normalised)), len(normalised)]:
        piece = normalised[start:end]
        words = frozenset(
            token.text for token in analyze(piece) if token.is_content and not is_denial(token.text)
        )
        if words:
            found.append(Clause(words, is_denied(piece)))
        start = end
    return found


def is_denied(text: str) -> bool:
    """Say whether a clause denies what it is about: an odd number of denials, idioms left out."""
    return len(_DENIALS.findall(_NO_DENIALS.sub(" ", normalize(text)))) % 2 == 1


def is_denial(word: str) -> bool:
    """Say whether a search token denies, and says nothing else."""
    return word.endswith("n't") or _DENIALS.fullmatch(word) is not None


def denies(claim: str, evidence: str, weights: Mapping[str, float]) -> bool:
    """Say whether evidence denies what a claim says, or says what it denies.

    Each clause of the claim is held against the clause of the evidence that shares most with it; where several share as
    much, one that agrees is enough.

    Args:
        claim: a sentence.
        evidence: one sentence or two.
        weights: the inverse document frequency of tokens; a token that is not in it weighs 1.
    """
    held = clauses(evidence)
    for clause in clauses(claim):
        shares = [_share(clause.words, other.words, weights) for other in held]
        best = max(shares, default=0.0)
        if best < _SHARED:
            continue
        nearest = [other for other, share in zip(held, shares, strict=True) if share >= best - 1e-9]
        if all(other.denied != clause.denied for other in nearest):
            return True
    return False


def _share(words: frozenset[str], others: frozenset[str], weights: Mapping[str, float]) -> float:
    total = sum(weights.get(word, 1.0) for word in words)
    return sum(weights.get(word, 1.0) for word in words & others) / total if total else 0.0


def direction(text: str, start: int, end: int) -> int:
    """Return where a limit goes at a figure of a normalised text: 1 upwards, -1 downwards, 0 where it is none."""
    around = text[max(0, start - _NEAR) : start], text[end : end + _NEAR]
    before, behind = (re.split(r"[,、。;]", part) for part in around)
    window = f"{before[-1]} {behind[0]}"
    up, down = _AT_LEAST.search(window), _AT_MOST.search(window)
    if bool(up) == bool(down):
        return 0
    return 1 if up else -1


def opposite_limits(
    claim: str, claimed: Sequence[tuple[int, int]], evidence: str, held: Sequence[tuple[int, int]]
) -> bool:
    """Say whether the same figure is a lower limit in one text and an upper limit in the other.

    Args:
        claim: normalised.
        claimed: where figures stand in it.
        evidence: normalised.
        held: where the same figures stand there.
    """
    for (start, end), (first, last) in zip(claimed, held, strict=True):
        if direction(claim, start, end) * direction(evidence, first, last) < 0:
            return True
    return False
