"""How far a text supports a sentence.

Support is the share of the sentence's meaning-carrying words, weighted by how rare they are in the index,
that stand in the text. Figures must all stand there: 5 mg is not 50 mg. So support is 0 where one is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from retrieval.analysis import Token

SUPPORTED = 0.6
_DEFAULT_WEIGHT = 1.0


def support(claim: list[Token], evidence: Set[str], weights: Mapping[str, float]) -> float:
    """Return how far evidence supports a claim, 0 to 1.

    Args:
        claim: the tokens of the sentence to check.
        evidence: the distinct tokens of the text that may support it.
        weights: the inverse document frequency of tokens; a token that is not in it weighs 1.
    """
    carrying = {token.text for token in claim if token.is_content}
    if not carrying:
        return 0.0
    if any(token.has_digit and token.text not in evidence for token in claim):
        return 0.0
    total = sum(weights.get(word, _DEFAULT_WEIGHT) for word in carrying)
    held = sum(weights.get(word, _DEFAULT_WEIGHT) for word in carrying if word in evidence)
    return held / total if total else 0.0
