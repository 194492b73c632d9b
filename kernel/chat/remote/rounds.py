"""Notices in a text that comes in pieces that its writer goes round in circles; where its tokens are not known."""

from __future__ import annotations

import re

from kernel.chat.repetition import LONGEST_ROUND, repeated

_WORD = re.compile(r"[A-Za-z0-9À-ɏ]+|\S")
_LOOK_EACH = 24
"""Characters after which it is looked again."""
_TAIL = 24 * LONGEST_ROUND
"""Last characters that are looked at while the text grows."""


class Rounds:
    """A text in the making. Words, and single characters of scripts without spaces, stand for tokens."""

    def __init__(self) -> None:
        self.text = ""
        self._looked = 0

    def add(self, piece: str) -> bool:
        """Add a piece; say whether the text has come round."""
        self.text += piece
        if len(self.text) - self._looked < _LOOK_EACH:
            return False
        self._looked = len(self.text)
        return bool(_repeated_words(self.text[-_TAIL:])[0])

    def once(self) -> str:
        """Return the text up to where it has come round the first time."""
        count, ends = _repeated_words(self.text)
        return self.text[: ends[-count - 1]] if 0 < count < len(ends) else self.text


def _repeated_words(text: str) -> tuple[int, list[int]]:
    """Return how many of the last words repeat those before them, and where each word ends."""
    words = list(_WORD.finditer(text))
    if words and words[-1].end() == len(text) and words[-1].group().isalnum():
        words.pop()  # it may go on
    ids: dict[str, int] = {}
    numbers = [ids.setdefault(word.group(), len(ids)) for word in words]
    return repeated(numbers), [word.end() for word in words]
