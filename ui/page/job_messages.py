"""What jobs say on their way and when they fail, in the language of the page: read from `job_messages.toml`.

A job is a command of its own, which speaks English into its log; what it says is told by its wording here.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("job_messages.toml")
_PROGRAM = "tekio: "


def said(message: str, language: str) -> str:
    """Return what a job said in a language ("ja", or English for any other); as it is where only English is known."""
    plain = message.removeprefix(_PROGRAM)
    return (_in_japanese(plain) or plain) if language == "ja" else plain


@cache
def messages() -> Mapping[str, str]:
    """Read the messages: English, and Japanese with the same values in braces."""
    held: dict[str, str] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return held


def _in_japanese(message: str) -> str:
    for pattern, text in _patterns():
        if (found := pattern.fullmatch(message)) is not None:
            return text.format(**found.groupdict())
    return ""


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Return the messages as patterns, those that say most themselves first: several may fit."""
    held = [(list(string.Formatter().parse(english)), japanese) for english, japanese in messages().items()]
    held.sort(key=lambda pair: -sum(len(literal) for literal, *_ in pair[0]))
    return [
        (
            re.compile(
                "".join(
                    re.escape(literal) + (f"(?P<{name}>.*?)" if name else "") for literal, name, *_ in parts
                )
            ),
            japanese,
        )
        for parts, japanese in held
    ]
