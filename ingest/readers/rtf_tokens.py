"""RTF as a stream of tokens: groups, control words, bytes of text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

_TOKEN = re.compile(
    rb"\\(?P<word>[A-Za-z]{1,32})(?P<number>-?[0-9]{1,10})?[ ]?"
    rb"|\\'(?P<hex>[0-9A-Fa-f]{2})"
    rb"|\\(?P<symbol>.)"
    rb"|(?P<brace>[{}])"
    rb"|(?P<text>[^\\{}\r\n]+)"
    rb"|[\r\n]+|\\",
    re.DOTALL,
)


class Kind(Enum):
    """What a token is."""

    OPEN = auto()
    CLOSE = auto()
    WORD = auto()
    SYMBOL = auto()
    HEX = auto()
    TEXT = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A token. `name` is that of a control word or symbol, `number` its parameter, `raw` the bytes of text."""

    kind: Kind
    name: str = ""
    number: int | None = None
    raw: bytes = b""


_OPEN, _CLOSE = Token(Kind.OPEN), Token(Kind.CLOSE)


def tokens(data: bytes) -> Iterator[Token]:
    """Yield the tokens of a file; binary data (`\\bin`) and line ends of the source are left out."""
    at = 0
    while (match := _TOKEN.match(data, at)) is not None:
        at = match.end()
        if (word := match.group("word")) is not None:
            number = int(match.group("number")) if match.group("number") is not None else None
            if word == b"bin":
                at += max(0, number or 0)
            else:
                yield Token(Kind.WORD, word.decode("ascii"), number)
        elif (digits := match.group("hex")) is not None:
            yield Token(Kind.HEX, raw=bytes.fromhex(digits.decode("ascii")))
        elif (text := match.group("text")) is not None:
            yield Token(Kind.TEXT, raw=text)
        elif (brace := match.group("brace")) is not None:
            yield _OPEN if brace == b"{" else _CLOSE
        elif (symbol := match.group("symbol")) is not None:
            if symbol in (b"\\", b"{", b"}"):
                yield Token(Kind.TEXT, raw=symbol)
            else:
                yield Token(Kind.SYMBOL, symbol.decode("latin-1"))
