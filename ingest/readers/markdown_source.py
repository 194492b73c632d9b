"""Markdown as people write it, brought into the form that CommonMark understands without losing words."""

from __future__ import annotations

import re

# CommonMark wants a space after the marks; many Japanese documents are written without it.
_TIGHT_HEADING = re.compile(r"(#{2,6}(?=[^#\s!])|#(?=[^\x00-\x7f]))")
_FENCE = re.compile(r"\s*(?P<mark>`{3,}|~{3,})(?P<rest>.*)")
# CommonMark takes a footnote of one word for the target of a link, and drops it.
_FOOTNOTE = re.compile(r"( {0,3})\[\^([^\]\s]+)\]:")
_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*")
_BAR = re.compile(r"(?<!\\)\|")


def as_commonmark(text: str) -> str:
    """Return the text with `##Head` as `## Head`, footnotes kept, and heads of tables wide enough.

    Fences are left as they are. The number of lines does not change.
    """
    lines = text.split("\n")
    fence = ""
    for at, line in enumerate(lines):
        match = _FENCE.match(line)
        if fence:
            mark = match.group("mark") if match and not match.group("rest").strip() else ""
            fence = "" if mark.startswith(fence) else fence
        elif match and not ("`" in match.group("mark") and "`" in match.group("rest")):
            fence = match.group("mark")
        elif line.startswith("#"):
            lines[at] = _TIGHT_HEADING.sub(r"\1 ", line, count=1)
        elif _FOOTNOTE.match(line):
            lines[at] = _FOOTNOTE.sub(r"\1\\[^\2]:", line, count=1)
        elif "|" in line and at + 1 < len(lines) and _is_rule(lines[at + 1], line):
            _widen(lines, at)
    return "\n".join(lines)


def _is_rule(line: str, head: str) -> bool:
    return "-" in line and _RULE.fullmatch(line) is not None and _cells(line) == _cells(head)


def _cells(row: str) -> int:
    return len(_BAR.findall(row.strip().removeprefix("|").removesuffix("|"))) + 1


def _widen(lines: list[str], head: int) -> None:
    """Give the head of a table as many cells as its longest row: more than the head has would be dropped."""
    rows = []
    for line in lines[head + 2 :]:
        if "|" not in line:
            break
        rows.append(_cells(line))
    missing = max(rows, default=0) - _cells(lines[head])
    if 0 < missing <= 64:
        lines[head] = f"{lines[head].rstrip().removesuffix('|')}|" + " |" * missing
        lines[head + 1] = f"{lines[head + 1].rstrip().removesuffix('|')}|" + " --- |" * missing
