"""What deeper parts say, errors above all, in the language of the page: read from the `.toml` files beside this.

Those parts speak English, which is what logs, commands and the API give; the page tells it by its wording here. A test
finds a message of theirs that is missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ui.failures import describe

_FOLDER = Path(__file__).parent
_PROGRAM = "tekio: "
_BETWEEN = "; "
"""Stands between messages that were put into one."""
_MESSAGES = frozenset({"reason", "hint", "message"})
"""Values that may be messages themselves; others, such as names, are somebody's text, and stay as they are."""
_DEEPEST = 4
"""Messages within messages; none goes so deep."""


def error_said(error: BaseException, language: str) -> str:
    """Return an error as one line in a language ("ja", or English for any other)."""
    return said(describe(error), language)


def said(message: str, language: str) -> str:
    """Return a message in a language ("ja", or English for any other); as it is where only English is known.

    What is filled in stays as it is; a reason or a hint is told too where it is itself a message that is known.
    """
    plain = message.removeprefix(_PROGRAM)
    return _in_japanese(plain) if language == "ja" else plain


@cache
def messages() -> Mapping[str, str]:
    """Read the messages: English, and Japanese with the same values in braces."""
    import tomllib

    held: dict[str, str] = {}
    for file in sorted(_FOLDER.glob("*.toml")):
        held |= tomllib.loads(file.read_text(encoding="utf-8"))
    return held


def _in_japanese(message: str, depth: int = 0) -> str:
    if depth == _DEEPEST:
        return message
    parts = message.split(_BETWEEN)
    told = [_whole(part, depth) for part in parts]
    # Several messages in a row first: the first of them may else take the others for its reason.
    if not all(told) and (one := _whole(message, depth)):
        return one
    return "。".join(known or part for known, part in zip(told, parts, strict=True)) if any(told) else message


def _whole(message: str, depth: int) -> str:
    """Return one message in Japanese; empty where it is not known."""
    for literals, pattern, text in _patterns():
        if not all(literal in message for literal in literals):
            continue  # far cheaper than the pattern, most of which do not fit
        if (found := re.fullmatch(pattern, message, re.DOTALL)) is not None:
            values = {
                name: _in_japanese(value, depth + 1) if name in _MESSAGES else value
                for name, value in found.groupdict().items()
            }
            return text.format(**values)
    return ""


@cache
def _patterns() -> list[tuple[list[str], str, str]]:
    """Return the messages with what each says itself, those that say most first: several may fit."""
    import string

    found = []
    for english, japanese in messages().items():
        parts = [(literal, name) for literal, name, *_ in string.Formatter().parse(english)]
        pattern = "".join(
            re.escape(literal) + (f"(?P<{name}>.*?)" if name else "") for literal, name in parts
        )
        found.append(([literal for literal, _ in parts if literal], pattern, japanese))
    found.sort(key=lambda each: -sum(map(len, each[0])))
    return found
