"""Lines put together again: what a page or a text file has wrapped becomes one paragraph."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence

LIST_MARK = re.compile(
    r"\s*(?:[-*+–‣▪•]\s+\S|[・●○■□◆◇•▪※]\s*\S|\(?\d{1,3}[.)]\s+\S|（[0-9０-９一二三四五六七八九十]{1,3}）|[①-⑳]|[a-zA-Z][.)]\s+\S)"
)
NUMBERED_HEADING = re.compile(
    r"(?:第\s?[0-9０-９一二三四五六七八九十百]{1,4}\s?[章節編部条款]"
    r"|(?:Chapter|Section|Part|Appendix|Article)\s+[0-9IVXA-Z]{1,5}\b"
    r"|[一二三四五六七八九十]{1,3}[　、．.](?=[^\W\d_])"
    r"|(?P<number>[0-9０-９]{1,2}(?:[.．][0-9０-９]{1,2}){0,4})[.．]?[\s　]+(?=[^\W\d_]))"
)
TERMINATORS = "。．.!?！？；;：:、，,"
_HYPHENS = "-‐"
_WORD = re.compile(r"[^\W\d_]+(?:[-‐][^\W\d_]+)*")
# First halves after which a hyphen belongs to the word.
_KEEPS_HYPHEN = frozenset(
    (
        "self",
        "non",
        "well",
        "high",
        "low",
        "long",
        "short",
        "ex",
        "all",
        "half",
        "cross",
        "anti",
        "multi",
        "e",
    )
)


def is_cjk(char: str) -> bool:
    """Tell whether a character is written without spaces: kana, Chinese characters, full-width forms."""
    code = ord(char)
    return (
        0x2E80 <= code <= 0x312F
        or 0x3190 <= code <= 0x9FFF
        or 0xF900 <= code <= 0xFAFF
        or 0xFE30 <= code <= 0xFE4F
        or 0xFF00 <= code <= 0xFFEF
        or 0x20000 <= code <= 0x3FFFF
    )


def width(text: str) -> int:
    """Return the columns a text takes up: wide characters count as two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def hyphenated_words(text: str) -> frozenset[str]:
    """Return the lower-case words with a hyphen inside that are written on one line of a text."""
    return frozenset(word for word in _WORD.findall(text.lower()) if "-" in word or "‐" in word)


def join_lines(lines: Iterable[str], words: Collection[str] = ()) -> str:
    """Join wrapped lines: with a space, or without one where either side is Japanese.

    A word that was divided is made whole when a lower-case letter follows the hyphen, unless the hyphen
    belongs to it: `words` are the hyphenated words known from the rest of the document.
    """
    joined = ""
    for raw in lines:
        line = raw.strip()
        if not line:
            continue
        joined = join_pair(joined, line, words) if joined else line
    return joined


def join_pair(left: str, right: str, words: Collection[str] = ()) -> str:
    """Join two lines of one paragraph, see `join_lines`."""
    cut, glue = seam(left, right, words)
    return left[: len(left) - cut] + glue + right


def seam(left: str, right: str, words: Collection[str] = ()) -> tuple[int, str]:
    """Return how many characters to take off the end of `left`, and what to put before `right`."""
    last, first = left[-1:], right[:1]
    if not last or not first:
        return 0, ""
    if last == "\u00ad":
        return 1, ""
    before = left[-2:-1]
    if last in _HYPHENS and before.isalpha():
        if not first.islower():
            return (0, "") if first.isalnum() else (0, " ")
        stem = re.search(r"[^\W\d_]+$", left[:-1])
        tail = re.match(r"[^\W\d_]+", right)
        head = stem.group().lower() if stem else ""
        whole = f"{head}-{tail.group().lower() if tail else ''}"
        keep = whole in words or head in _KEEPS_HYPHEN
        return (0, "") if keep else (1, "")
    if last in "-‐–" and before.isdigit() and first.isdigit():
        return 0, ""
    if is_cjk(last) or is_cjk(first):
        return 0, ""
    return 0, " "


def is_table_row(line: str) -> bool:
    """Tell whether a line looks like a row of a table: cells set apart by wide gaps, tabs or bars."""
    stripped = line.strip()
    if stripped.count("|") >= 2 or "\t" in stripped:
        return True
    return len(re.findall(r"\S(?: {3,}|　{2,})(?=\S)", stripped)) >= 2


def is_wrapped(lines: Sequence[str]) -> bool:
    """Tell whether lines were broken only because the page was full, not because something ended."""
    if len(lines) < 2:
        return False
    widths = [width(line.strip()) for line in lines]
    full = max(widths)
    if not 30 <= full <= 130:
        return False
    body = widths[:-1]
    return sum(1 for one in body if one >= 0.75 * full) >= 0.7 * len(body)


def heading_level(line: str) -> int:
    """Return the level of a numbered heading, or 0: short, numbered, and not a sentence."""
    text = line.strip()
    match = NUMBERED_HEADING.match(text)
    if (
        match is None
        or not 0 < width(text) <= 70
        or text[-1] in TERMINATORS
        or text.endswith(("。」", "い。"))
    ):
        return 0
    if "。" in text or is_table_row(text):
        return 0
    number = match.group("number")
    if number is None:
        return 2 if text[:12].find("節") > 0 or text[:12].find("条") > 0 else 1
    rest = text[match.end() :]
    # "3 tablets twice a day" and "11.43 and 11.45" are no headings; "3 Results" and "3.1 用法" are.
    if rest[:1].islower():
        return 0
    return min(6, 1 + len(re.findall(r"[.．]", number)))
