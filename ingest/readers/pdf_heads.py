"""Running heads, feet and page numbers of PDF pages, which would cut sentences and fill the index."""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from ingest.lines import width
from ingest.readers.pdf_lines import Line

_PAGE_NUMBER = re.compile(r"[-–—\s]*(?:page|p\.)?\s*\d{1,4}\s*(?:/|of|／)\s*\d{1,4}[-–—\s]*", re.IGNORECASE)
_NO_LETTERS = re.compile(r"[\W\d_]+")
_FIGURES = re.compile(r"[0-9０-９]+")
# Lines at the edge of a page that may be a running head or foot.
_EDGE = 3
_SHORT = 2 * _EDGE
# More different lines at the edges than this are not compared with each other: that takes time.
_MOST_KEYS = 150


def without_running_heads(pages: Sequence[Sequence[Line]], body: float) -> list[list[Line]]:
    """Take off what stands at the same edge of many pages: heads, feet and page numbers.

    What repeats is the very text, or a text that differs in its figures only and keeps its place or
    counts with the pages.
    """
    found: defaultdict[tuple[str, str], list[Line]] = defaultdict(list)
    dropped: set[int] = set()
    for lines in pages:
        by_height = sorted(lines, key=lambda line: -line.y)
        dropped |= {id(line) for line in by_height[:1] + by_height[-1:] if _PAGE_NUMBER.fullmatch(line.text)}
        for side, edge in (("head", _edge(by_height)), ("foot", _edge(by_height[::-1]))):
            for line in edge:
                if width(line.text) <= 160:
                    found[side, _key(line.text)].append(line)
    filled = sum(1 for lines in pages if lines)
    heads = [group for group in _alike(found) if _repeats(group, filled, body)]
    dropped |= {id(line) for group in heads for line in group}
    long = {number for number, lines in enumerate(pages) if len(lines) > _SHORT}
    known = _places(heads, {line.page for number in long for line in pages[number][:1]})
    kept = []
    for number, lines in enumerate(pages):
        rest = [line for line in lines if id(line) not in dropped]
        if number not in long and len(rest) < _EDGE:
            # A page of few lines has no head or foot to speak of, but for those of the other pages.
            rest = [*lines]
        kept.append([line for line in rest if not _is_known(line, known)])
    return kept


def _places(heads: Sequence[Sequence[Line]], long: Collection[int]) -> dict[str, list[float]]:
    """Return how high the heads and feet stand that pages of many lines have, by what they say."""
    places: dict[str, list[float]] = {}
    for group in heads:
        heights = [line.y for line in group if line.page in long]
        if len(heights) > 1:
            for line in group:
                places.setdefault(_key(line.text), heights)
    return places


def _is_known(line: Line, known: Mapping[str, list[float]]) -> bool:
    return any(abs(line.y - height) < 3 for height in known.get(_key(line.text), ()))


def _key(text: str) -> str:
    """Return what the heads of a left and of a right page share: the letters, or else the signs."""
    letters = _NO_LETTERS.sub("", text).casefold()
    return letters if len(letters) >= 4 else _FIGURES.sub("#", text)


def _alike(found: Mapping[tuple[str, str], list[Line]]) -> list[list[Line]]:
    """Put groups together whose texts differ in a few letters, as those that were recognised do."""
    merged: dict[tuple[str, str], list[Line]] = {}
    if len(found) > _MOST_KEYS:
        return list(found.values())
    for (side, key), group in sorted(found.items(), key=lambda item: -len(item[1])):
        near = ((side, key) if len(key) < 8 else None) or next(
            (other for other in merged if other[0] == side and _is_near(key, other[1])), (side, key)
        )
        merged.setdefault(near, []).extend(group)
    return list(merged.values())


def _is_near(a: str, b: str) -> bool:
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    return matcher.real_quick_ratio() >= 0.85 and matcher.quick_ratio() >= 0.85 and matcher.ratio() >= 0.85


def _edge(lines: Sequence[Line]) -> Sequence[Line]:
    """Return the lines at the edge of a page that a wide gap sets apart from its text."""
    gaps = [abs(a.y - b.y) for a, b in pairwise(lines)]
    near = statistics.median([gap for gap in gaps if gap > 1] or [0])
    apart = [index for index, gap in enumerate(gaps[:_EDGE]) if gap > 1.4 * near]
    return lines[: apart[-1] + 1] if apart else []


def _repeats(group: Sequence[Line], pages: int, body: float) -> bool:
    """Tell whether lines that are the same but for their figures are a head, a foot or a page number."""
    count = len({line.page for line in group})
    heights = [line.y for line in group]
    same_place = count >= 3 and max(heights) - min(heights) < 3
    if len({line.text for line in group}) == 1:
        return pages > 1 and (count >= max(2, 0.4 * pages) or same_place)
    if count < max(2, 0.3 * pages):
        return False
    if same_place and all(line.size <= 1.14 * body for line in group):
        return True
    figures = [[int(figure) for figure in _FIGURES.findall(line.text)] for line in group]
    if len({len(row) for row in figures}) > 1:
        return False
    offsets = (
        Counter(row[index] - line.page for row, line in zip(figures, group, strict=True))
        for index in range(len(figures[0]))
    )
    return any(counts.most_common(1)[0][1] >= 0.8 * len(group) for counts in offsets)
