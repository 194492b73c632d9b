"""Links, pictures and HTML in an answer: shown as the text they are, and only where a passage holds them.

A model can be made to write a picture's address that carries the question away, and whoever shows the answer as
Markdown would fetch it. So an address that stands in none of the passages is taken out, and what Markdown or HTML
would bring to life is written so that it stays text. A draft is cleaned word by word as it streams.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

REMOVED = {"en": "(link removed)", "ja": "(リンク削除)"}

_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,20}:)?//[^\s<>\"'|\\^`「」（）]+"
    r"|\b(?:javascript|vbscript|data|file|mailto|blob|intent|tel):[^\s<>\"]+"
    r"|\bwww\.[^\s<>\"'「」（）]+"
    r"|\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,24}[/?][^\s<>\"'「」（）]*",
    re.IGNORECASE | re.ASCII,
)
_TRAILING = ".,;:!?)]}*_'\""
_TAG = re.compile(
    r"<(?=\s*/?\s*(?:a|img|picture|source|script|style|iframe|frame|object|embed|applet|svg|math|link|meta|base|form|"
    r"input|button|textarea|select|video|audio|track|template|portal|marquee|body|html|details)(?:[\s/>]|$)"
    r"|[a-z][a-z0-9+.-]*:|!--|\?)",
    re.IGNORECASE,
)
_TARGET = re.compile(r"\](?=[(\[])|\](?=:\s*\S)")
_WORD = re.compile(r"\S+")
_BREAK = re.compile(r"\s")
_LONGEST_WORD = 2_000


class LinkGuard:
    """Cleans text of which `held` are the only texts whose addresses may stand in it."""

    def __init__(self, held: Iterable[str], language: str) -> None:
        self._held = "\n".join(held)
        self._said = REMOVED.get(language, REMOVED["en"])
        self._waiting = ""
        self.removed = 0
        """How many addresses were taken out."""

    def clean(self, text: str) -> str:
        """Return a text with foreign addresses taken out and everything else inert."""
        return inert(_ADDRESS.sub(self._checked, text))

    def feed(self, piece: str) -> str:
        """Take a piece of a stream; return what can be shown of it, up to the last complete word."""
        self._waiting += piece
        last = max((match.end() for match in _BREAK.finditer(self._waiting)), default=0)
        if not last and len(self._waiting) <= _LONGEST_WORD and not self._is_plain(self._waiting):
            return ""
        last = last or len(self._waiting)
        ready, self._waiting = self._waiting[:last], self._waiting[last:]
        return _WORD.sub(lambda match: self.clean(match.group()), ready)

    def rest(self) -> str:
        """Return what is left when the stream has ended."""
        ready, self._waiting = self._waiting, ""
        return self.clean(ready)

    def _is_plain(self, word: str) -> bool:
        """Tell whether a word that goes on can be shown already: Japanese has no spaces to wait for."""
        return (
            word != ""
            and not word[-1].isascii()
            and _ADDRESS.search(word) is None
            and not set(word) & set("<[]()")
        )

    def _checked(self, match: re.Match[str]) -> str:
        address = match.group().rstrip(_TRAILING)
        if address in self._held:
            return match.group()
        self.removed += 1
        return self._said + match.group()[len(address) :]


def inert(text: str) -> str:
    """Return a text in which neither Markdown nor HTML finds a link, a picture or an active element."""
    return _TAG.sub("＜", _TARGET.sub("] ", text))
