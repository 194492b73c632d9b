"""Tokens that are guessed ahead, so that one step of the model checks several instead of writing one.

Source: Leviathan et al., "Fast Inference from Transformers via Speculative Decoding", ICML 2023; guesses from the text
itself: Saxena, "Prompt Lookup Decoding", 2023. An answer from documents quotes them, so that much of it stands in its
prompt already.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_MATCH = 3
"""Tokens that are looked for at most; the longest match that was seen before is continued."""


class Lookup:
    """Finds where the last tokens of a text stood before. Kept up to date token by token."""

    def __init__(self, ids: Sequence[int]) -> None:
        """Read a prompt."""
        self._ids: list[int] = []
        self._ends: list[dict[tuple[int, ...], int]] = [{} for _ in range(LONGEST_MATCH)]
        self.extend(ids)

    def extend(self, ids: Sequence[int]) -> None:
        """Take tokens that were written; what now ends the text is not yet known, as nothing follows it."""
        for token in ids:
            end = len(self._ids)
            for length, ends in enumerate(self._ends, 1):
                if end >= length:
                    ends[tuple(self._ids[end - length : end])] = end
            self._ids.append(token)

    def guess(self, most: int, least: int = 1) -> list[int]:
        """Return what followed the last time that the text's end was seen, at most so many tokens.

        Args:
            most: that are returned.
            least: tokens of the end that have to be the same.
        """
        for length in range(min(LONGEST_MATCH, len(self._ids)), least - 1, -1):
            start = self._ends[length - 1].get(tuple(self._ids[-length:]))
            if start is not None:
                return self._ids[start : start + most]
        return []


_FIRST, _LEAST = 4, 2
"""Guesses at first, and where none held: what a guess costs and saves, simulated on 160 answers to training prompts."""


class Pace:
    """How many tokens to guess: more while the guesses hold, fewer when they do not; if steady, always the most."""

    def __init__(self, most: int, *, steady: bool = False) -> None:
        self._most, self._steady = most, steady
        self.now = most if steady else min(_FIRST, most)

    def learn(self, guessed: int, accepted: int) -> None:
        """Take note of how many of the guesses held."""
        if not guessed or self._steady:
            return
        if accepted == guessed:
            self.now = min(self._most, 2 * self.now)
        elif accepted == 0:
            self.now = max(min(_LEAST, self._most), self.now // 2)
