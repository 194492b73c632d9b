"""The proper names of a sentence: what must not be another's."""

from __future__ import annotations

import re
from functools import lru_cache

from retrieval.analysis import analyze, detect_language, proper_names

_CAPITAL = re.compile(r"\b[A-Z][\w'’-]*")
_START = re.compile(r"(?:^|[.!?:;\n“\"(「]\s*)$")
_MONTHS_AND_DAYS = frozenset(
    """
    january february march april may june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday i
    """.split()
)


@lru_cache(maxsize=512)
def names(text: str) -> frozenset[str]:
    """Return the search tokens of proper names: capitalised within a sentence, or names by the dictionary."""
    found = set()
    if detect_language(text) == "ja":
        found |= set(proper_names(text))
    for match in _CAPITAL.finditer(text):
        word = match.group()
        is_start = _START.search(text[: match.start()]) is not None
        if word.lower() not in _MONTHS_AND_DAYS and (
            not is_start or any(each.isupper() for each in word[1:])
        ):
            found |= {token.text for token in analyze(word) if token.is_content}
    return frozenset(found)
