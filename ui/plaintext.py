"""Text of documents and models made safe to show.

A document may hold anything: escape sequences that repaint a terminal, marks that reverse the reading
order, tags that no reader sees. What is shown is plain text, whoever wrote it.
"""

from __future__ import annotations

import json
import re
from typing import Any

# CSI and OSC sequences as a whole, so that "[31m" does not stay behind; the bare characters go next.
_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x9b[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
)
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_UNSEEN = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f"  # C0 and C1 controls, without tab and line feed
    r"\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069"  # direction marks: they show another order than is stored
    r"\ufff9-\ufffb\U000e0000-\U000e007f]"  # annotation marks and tag characters, invisible to a reader
)
_JSON_ESCAPED = re.compile(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def plain(text: str) -> str:
    """Return text without escape sequences, control characters and direction marks; tabs and lines stay."""
    return _UNSEEN.sub("", _LINE_ENDS.sub("\n", _SEQUENCES.sub("", text)))


def plain_piece(text: str) -> str:
    """Clean a piece of a stream: a sequence may be cut between pieces, so its bare characters go alone."""
    return _UNSEEN.sub("", _LINE_ENDS.sub("\n", text))


def one_line(text: str) -> str:
    """Return plain text on one line."""
    return " ".join(plain(text).split())


def dump_json(value: Any) -> str:
    """Return indented JSON with Japanese left readable and nothing in it that a terminal would act on."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return _JSON_ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
