"""The text of tokens as they come: whole words and characters only, which later tokens do not change."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_CUT = "\ufffd"
"""What a decoder puts in place of a character of which the rest is still to come."""


class TextStream:
    """Hands on what is certain of a text."""

    def __init__(self, decode: Callable[[Sequence[int]], str], on_text: Callable[[str], None]) -> None:
        """Begin.

        Args:
            decode: of ids.
            on_text: is given each new piece.
        """
        self._decode, self._on_text = decode, on_text
        self._ids: list[int] = []
        self._shown = 0

    def put(self, ids: Sequence[int]) -> None:
        """Take new tokens."""
        self._ids.extend(ids)
        text = self._decode(self._ids)
        if text.endswith("\n"):  # a new line changes nothing before it
            self._show(text)
            self._ids, self._shown = [], 0
        elif not text.endswith(_CUT):
            # The last word may go on, and what is written together, as Chinese or Japanese, is certain at once.
            self._show(text if text and ord(text[-1]) > 0x2E7F else text[: text.rfind(" ") + 1])

    def end(self) -> None:
        """Hand on what is left."""
        self._show(self._decode(self._ids))

    def _show(self, text: str) -> None:
        if len(text) > self._shown:
            self._on_text(text[self._shown :])
            self._shown = len(text)
