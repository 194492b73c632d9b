"""Sentences of a draft that repeat the prompt: a small model does so by itself, and may be told to."""

from __future__ import annotations

import re

from kernel.answering.citations import join_sentences
from kernel.answering.evidence import answer_sentences

_PIECE = 12
"""Letters and digits in a row that are looked for together."""
_SHORTEST = 24
_REPEATED = 0.6
"""The share of a sentence's pieces from which on it is the prompt's and not the model's."""


def without_prompt(draft: str, instructions: str) -> str:
    """Return a draft without the sentences that stand, mostly word for word, in the instructions of its prompt."""
    told = _letters(instructions)
    sentences = answer_sentences(draft)
    kept = [sentence for sentence in sentences if not _repeats(_letters(sentence), told)]
    return draft if len(kept) == len(sentences) else join_sentences(kept)


def without_fence(draft: str, fence: str) -> str:
    """Return a draft without the lines that stand around passages in its prompt, which small models write on."""
    if not fence or fence not in draft:
        return draft
    return re.sub(rf"[ \t]*-*[ \t]*{re.escape(fence)}[ \t]*", " ", draft).strip()


def _repeats(said: str, told: str) -> bool:
    # A short one, such as "I don't know", is what the instructions ask for.
    if len(said) < _SHORTEST:
        return False
    pieces = [said[at : at + _PIECE] for at in range(len(said) - _PIECE + 1)]
    return sum(piece in told for piece in pieces) >= _REPEATED * len(pieces)


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
