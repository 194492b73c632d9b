"""Pieces of one table, which are wanted together: a total, a comparison, all that are of a kind.

A long table is cut, in one document or over several, and each piece carries its header. A question names what one
piece holds, and the others, which it asks about as well, say nothing of it. So where the best rows hold a table,
other candidates under like headers move up half of the way to them. A ranking without tables stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

from retrieval.analysis import search_tokens
from retrieval.markup import without_markup
from retrieval.ranking import Ranked
from retrieval.sections import table_heading

Header = frozenset[str]
RowData = Callable[[Sequence[int]], Mapping[int, Mapping[str, Any]]]
"""Gives the data of rows by id."""

_BEST = 3
"""Rows whose tables are looked at."""
_AMONG = 50
_MOST = 4
"""Pieces of a table that move up."""
_SHARE = 0.5
_LIKE = 0.7
"""The share of words that headers have in common, of all that either has. Pieces differ in wording and units."""
_LOOKED_AT = 2000
"""Characters of a row in which its table begins."""
_HTML = re.compile(r"<table\b[^<>]*>(?:(?!</tr)[\s\S]){0,1500}?</tr", re.IGNORECASE)
_CELLS = {"|": 3, "\t": 2, ",": 3}
_WIDEST = 40


def with_table_pieces(ranked: Sequence[Ranked], data_of: RowData) -> list[Ranked]:
    """Return a ranking in which pieces of the tables of the best rows have moved up.

    Args:
        ranked: rows, best first.
        data_of: gives what rows hold; asked for the best few, and for more only where these hold a table.
    """
    best, rest = list(ranked[:_AMONG]), list(ranked[_AMONG:])
    headers = _headers([item.id for item in best[:_BEST]], data_of)
    if not headers:
        return [*best, *rest]
    headers |= _headers([item.id for item in best[_BEST:]], data_of)
    scores = [item.score for item in best]
    for place in [place for place in range(min(_BEST, len(best))) if best[place].id in headers]:
        moved = 0
        for other in range(place + 1, len(best)):
            if moved < _MOST and _are_like(headers[best[place].id], headers.get(best[other].id)):
                gap = best[place].score - best[other].score
                scores[other] = max(scores[other], best[other].score + _SHARE * gap)
                moved += 1
    order = sorted(range(len(best)), key=lambda place: -scores[place])
    return [*(replace(best[place], score=scores[place]) for place in order), *rest]


def _headers(ids: Sequence[int], data_of: RowData) -> dict[int, Header]:
    found = {row_id: table_header(data["text"], data["headings"]) for row_id, data in data_of(ids).items()}
    return {row_id: header for row_id, header in found.items() if header}


def _are_like(one: Header, other: Header | None) -> bool:
    return other is not None and len(one & other) >= _LIKE * len(one | other)


def table_header(text: str, headings: Sequence[str]) -> Header:
    """Return the words of the header of the table that a row holds; none for a row without one."""
    own = table_heading(headings)
    line = own if own else _header_line(text[:_LOOKED_AT])
    return _words(line) if line else frozenset()


@lru_cache(maxsize=1024)
def _words(line: str) -> Header:
    return frozenset(search_tokens(line))


def _header_line(text: str) -> str:
    if "<" in text and (table := _HTML.search(text)):
        return " ".join(without_markup(table.group() + ">").split())
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    for line, below in pairwise(lines):
        for mark, least in _CELLS.items():
            cells = [cell.strip() for cell in line.strip(mark).split(mark)]
            if (
                line.count(mark) >= least - 1
                and below.count(mark) >= line.count(mark)
                and len([cell for cell in cells if cell]) >= min(least, 2)
                and all(len(cell) <= _WIDEST for cell in cells)
                and not line.endswith((".", "。"))
            ):
                return line
    return ""
