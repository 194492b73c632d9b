"""Whether two questions ask the same in other words, so that one's answer is the other's.

An embedder puts "how much for adults" beside "how much for children", and "can" beside "cannot": a cosine alone,
however high, does not tell them apart. So beside it the words must agree: the same figures, negations, names and
question words, the same words of content in the same order, whatever small words and endings stand between them.
What is left to differ is politeness, particles, inflection and the spelling that the dictionary folds.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from retrieval.analysis import Token, analyze, normalize

_NEGATIONS = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|can't|don't|doesn't|didn't|isn't|aren't|wasn't|"
    r"weren't|won't|shouldn't|mustn't|needn't|couldn't|wouldn't|hasn't|haven't|hadn't|except|unless|only|least|most)\b"
    r"|ない|なく|なけれ|なかっ|ぬ(?![ぁ-ん])|ず(?=に|、|。|$)|ません|不可|禁止|以外|のみ|だけ|しか|未満|以上|以下|超"
)
_ASKING = re.compile(
    r"\b(?:who|whom|whose|what|which|when|where|why|how|many|much|long|often|far|soon|old|can|may|must|should|will|"
    r"before|after|from|until|to|by|in|on|at|under|over|above|below|between|with|for)\b"
    r"|いつ|どこ|だれ|誰|何時|何|なぜ|どう|どの|どれ|どちら|どんな|いくつ|いくら|幾|から|まで|より|でき|出来|前|後|間|中"
)
_CAPITALS = re.compile(r"\b[A-Z]{2,}\b")
"""Names such as WHO and IT, which are small words in small letters."""


def same_matter(one: str, other: str) -> bool:
    """Say whether two questions differ in nothing that could change the answer, by their words."""
    return _matter(one) == _matter(other)


@lru_cache(maxsize=4096)
def _matter(question: str) -> tuple[object, ...]:
    """Return what must be the same: content words and figures in order, names, negations, question words."""
    text = normalize(question)
    return (
        tuple(token.text for token in analyze(question) if _counts(token)),
        tuple(_CAPITALS.findall(unicodedata.normalize("NFKC", question))),
        tuple(_NEGATIONS.findall(text)),
        tuple(_ASKING.findall(text)),
    )


def _counts(token: Token) -> bool:
    return token.is_content or token.has_digit
