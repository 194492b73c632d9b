"""How far a text supports a sentence.

Support is the share of the sentence's meaning-carrying words, weighted by how rare they are in the index,
that stand in the text. The rarest word, which is mostly what the sentence is about, must stand there; and what
the sentence says beyond the question is counted apart, so that repeating the question is no answer. Figures are
compared elsewhere, by what they say, and so count only as one word of many here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set

from retrieval.analysis import Token

SUPPORTED = 0.8
_DEFAULT_WEIGHT = 1.0


def support(
    claim: Sequence[Token],
    evidence: Set[str],
    weights: Mapping[str, float],
    *,
    asked: Set[str] = frozenset(),
    context: Set[str] = frozenset(),
    adds_figures: bool = False,
) -> float:
    """Return how far evidence supports a claim, 0 to 1.

    Args:
        claim: the tokens of the sentence to check, those of its figures left out.
        evidence: the distinct tokens of the text that may support it.
        weights: the inverse document frequency of tokens; a token that is not in it weighs 1.
        asked: the words of the question. The support is that of the whole claim or of what it adds to the
            question, whichever is less; a claim that adds nothing has none.
        context: the words that the evidence stands under, its title and headings; they support what the
            claim is about, but nothing that it adds.
        adds_figures: the claim has figures that the question has not, so that it may add no other words.
    """
    carrying = {token.text for token in claim if token.is_content}
    rarity = max((weights.get(word, _DEFAULT_WEIGHT) for word in carrying), default=0.0)
    rarest = {word for word in carrying if weights.get(word, _DEFAULT_WEIGHT) == rarity}
    if rarest and not rarest & (evidence | context):
        return 0.0
    added = carrying - asked
    return min(
        weighted_share(carrying, evidence | context, weights) if carrying else float(adds_figures),
        weighted_share(added, evidence, weights) if added else float(adds_figures),
    )


def weighted_share(words: Collection[str], held: Set[str], weights: Mapping[str, float]) -> float:
    """Return the weighted share of distinct words that are held, 0 to 1; 0 for no words."""
    total = sum(weights.get(word, _DEFAULT_WEIGHT) for word in words)
    return sum(weights.get(word, _DEFAULT_WEIGHT) for word in words if word in held) / total if total else 0.0
