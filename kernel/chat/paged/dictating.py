"""A text that is given, read as if the model wrote it, so that it tells how likely it finds it.

Its tokens stand where guesses do and where tokens are chosen, so that a request of the text goes the way of all
others: in one batch with them, behind a prompt that is in the cache, some tokens of the text in each step.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernel.chat.generation import Sampling
from kernel.chat.paged.choosing import Chooser, Floats
from kernel.chat.paged.guessing import Lookup

MOST_GUESSED = 32
"""Tokens of the text in a step, at most."""


class Dictated(Chooser):
    """Chooses the tokens of a text one after the other, whatever the logits are."""

    def __init__(self, ids: Sequence[int]) -> None:
        """Take the ids of a text, one at least."""
        super().__init__(Sampling())
        self._left = iter(ids)

    def pick(self, logits: Floats) -> int:
        """Return the next token of the text."""
        return next(self._left)


class Ahead(Lookup):
    """Knows what is written next."""

    def __init__(self, ids: Sequence[int]) -> None:
        """Take the ids of a text."""
        self._text, self._written = list(ids), 0
        super().__init__(())

    def extend(self, ids: Sequence[int]) -> None:
        """Take tokens that were written."""
        self._written += len(ids)

    def guess(self, most: int, least: int = 1) -> list[int]:
        """Return the next tokens, at most so many, whatever stood before."""
        return self._text[self._written : self._written + most]
