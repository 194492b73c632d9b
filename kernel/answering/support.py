"""How far a text supports a sentence.

Support is the share of the sentence's meaning-carrying words, weighted by how rare they are in the index,
that stand in the text. Three things are exact: figures must all stand there (5 mg is not 50 mg), so must the
rarest word, which is mostly what the sentence is about, and what the sentence says beyond the question is
counted apart, so that repeating the question is no answer.
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
) -> float:
    """Return how far evidence supports a claim, 0 to 1.

    Args:
        claim: the tokens of the sentence to check.
        evidence: the distinct tokens of the text that may support it.
        weights: the inverse document frequency of tokens; a token that is not in it weighs 1.
        asked: the words of the question. The support is that of the whole claim or of what it adds to the
            question, whichever is less; a claim that adds nothing has none.
        context: the words that the evidence stands under, its title and headings; they support what the
            claim is about, but nothing that it adds.
    """
    carrying = {token.text for token in claim if token.is_content}
    exact = evidence | (context & asked)  # a part number that was asked about may stand in the heading
    if any(token.has_digit and token.text not in exact for token in claim):
        return 0.0
    rarest = max(carrying, key=lambda word: weights.get(word, _DEFAULT_WEIGHT), default="")
    if rarest not in evidence | context:
        return 0.0
    return min(
        weighted_share(carrying, evidence | context, weights),
        weighted_share(carrying - asked, evidence, weights),
    )


def weighted_share(words: Collection[str], held: Set[str], weights: Mapping[str, float]) -> float:
    """Return the weighted share of distinct words that are held, 0 to 1; 0 for no words."""
    total = sum(weights.get(word, _DEFAULT_WEIGHT) for word in words)
    return sum(weights.get(word, _DEFAULT_WEIGHT) for word in words if word in held) / total if total else 0.0
