"""Whether two questions ask the same: strictly, since an answer to the one is then offered for the other."""

from __future__ import annotations

import re

from plugins.memory.scoring import SAME
from retrieval.analysis import analyze, content_tokens, detect_language, normalize

LEAST_SHARED = 0.8
"""The least share of the words of both that both must have."""

_NEGATION = re.compile(
    r"\b(?:no|not|never|without|none|cannot|\w+n['’]t)\b|ない|なく|ません|なし|以外|禁止|不可|非|未",
    re.IGNORECASE,
)


def same_question(one: str, other: str, similarity: float) -> bool:
    """Say whether two questions ask the same.

    Args:
        one: a question.
        other: another.
        similarity: of their meanings, 0 to 1, see `plugins.memory.scoring`.

    They must be of one language and alike in meaning, share four fifths of their words that carry meaning, and have
    the very same figures and as many negations: 5 mg is not 50 mg, and 「できる」 is not 「できない」.
    """
    if similarity < SAME or detect_language(one) != detect_language(other):
        return False
    mine, theirs = set(content_tokens(one)), set(content_tokens(other))
    if not mine or len(mine & theirs) < LEAST_SHARED * len(mine | theirs):
        return False
    return _figures(one) == _figures(other) and _negations(one) == _negations(other)


def _figures(text: str) -> list[str]:
    return sorted(token.text for token in analyze(text) if token.has_digit)


def _negations(text: str) -> int:
    return len(_NEGATION.findall(normalize(text)))
