"""The rule by which a fact is remembered at once: who says "remember that …" or 「…を覚えておいて」 wants just that."""

from __future__ import annotations

import re

_ENGLISH = re.compile(
    r"^(?:(?:please|hey|ok(?:ay)?|also|and)[,!]?\s+)*"
    r"(?P<polite>(?:can|could|will|would) you\s+(?:please\s+)?)?"
    r"(?:(?:remember|memori[sz]e)(?:\s+that\b|\s*[:：]|\s+for me\s*[:：]?)|note(?:\s+down)?(?:\s+that\b|\s*[:：])"
    r"|keep in mind(?:\s+that\b|\s*[:：]))\s*[,:：]?\s*(?P<fact>\S.*)$",
    re.IGNORECASE | re.DOTALL,
)
_KEEP = r"(?:(?:覚|憶|おぼ)えて|記憶して)(?:おいて)?"
_PLEASE = r"(?:(?:くだ|下)さい(?:ね)?|(?:ほ|欲)しい(?:です)?|ちょうだい|もらえますか|くれますか|ね|よ)?"
_JAPANESE = re.compile(
    rf"^(?P<fact>\S.*?)(?:(?:という)?(?:こと|の)?(?:を|は)|と|って)?[、,]?\s*{_KEEP}{_PLEASE}[。.!！]*$",
    re.DOTALL,
)
_JAPANESE_FIRST = re.compile(
    rf"^(?:(?:次|以下)の(?:こと|内容)?(?:を|は))?\s*{_KEEP}{_PLEASE}[。:：、,]\s*(?P<fact>\S.*)$",
    re.DOTALL,
)
_FEWEST = 4
"""Characters of a fact: 「これを覚えておいて」 says none."""
_POINTING = re.compile(r"^(?:(?:これ|それ|あれ)\W*|(?:this|that|it|these)\W*)$", re.IGNORECASE)


def fact_to_remember(text: str) -> str | None:
    """Return the fact that a person wants to be remembered; None for a question, or for anything else.

    "Do you remember that …?" asks, and 「覚えていますか」 too; so does what goes on to ask something.
    """
    text = text.strip()
    for pattern in (_JAPANESE_FIRST, _JAPANESE, _ENGLISH):
        found = pattern.match(text)
        if found is None:
            continue
        fact = found["fact"].strip().strip("「」“”\"'").strip()
        if pattern is _ENGLISH and found["polite"]:
            fact = fact.rstrip("?？ ")
        if len(fact) < _FEWEST or _POINTING.match(fact) or "?" in fact or "？" in fact:
            return None
        return fact
    return None
