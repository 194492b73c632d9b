"""The line that stands around quoted material in a prompt, which no document and no server can foresee."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from retrieval.records import Passage

_LETTERS = "abcdefghijkmnpqrstuvwxyz"
_LENGTH = 12
"""Letters of a fence; 12 of 24 are 55 bits."""


def fence_of(question: str, passages: Sequence[Passage], others: Sequence[str] = ()) -> str:
    """Return the fence for a question with its passages: letters that stand in none of them.

    `others` are further texts that are quoted beside them, such as what functions gave back.

    It comes from a hash of all of them together, so that the same request makes the same prompt again, and yet whoever
    writes a document, who would have to put the hash of his own text into it, cannot know it.
    """
    texts = [question, *(passage.text for passage in passages), *others]
    salt = 0
    while True:
        digest = hashlib.blake2b(str(salt).encode())
        for text in texts:
            digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
        fence = "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest.digest()[:_LENGTH])
        if not any(fence in text for text in texts):
            return fence
        salt += 1
