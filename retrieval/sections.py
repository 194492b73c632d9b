"""Passages shown with the section that they stand in.

What is found is small, so that it is found by what it says; what is read is better with what stands around it. The
rows of a document are numbered in order and hold all of its text but white space, so those of a section around a
passage are the numbers before and after it that stand under the same headings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from retrieval.chosen import Chosen
from retrieval.stores.interface import Hit

RowAt = Callable[[int, int], Hit | None]
"""Gives the row of a document by its number in it, from 0; None where there is none."""

_WIDE_SPACE = ("\t", "  ")
"""What the header of a table without borders holds, and a heading, whose space is single, does not."""


def number_of(hit: Hit) -> int:
    """Return the number of a row in its document, which its key ends with."""
    return int(str(hit.key).rpartition(":")[2])


def table_heading(headings: Sequence[str]) -> str:
    """Return the header of a table that a row, a later piece of it, stands under; empty where there is none."""
    last = headings[-1] if headings else ""
    return last if last.startswith("|") or any(mark in last for mark in _WIDE_SPACE) else ""


def section_of(hit: Hit) -> tuple[str, ...]:
    """Return the headings of the section that a row stands in: its own, without the header of a table."""
    headings = tuple(hit.data["headings"])
    return headings[:-1] if table_heading(headings) else headings


def with_sections(chosen: Sequence[Chosen], row_at: RowAt, most: int) -> list[Chosen]:
    """Return passages with what stands around them in their sections, each place of a document once.

    A passage that another, better one is shown with is not shown again; what is shown of a section from two places
    of it ends where the other begins.

    Args:
        chosen: passages of single rows, best first.
        row_at: gives the rows of their documents.
        most: characters that are shown around a passage, in whole rows.
    """
    shown: dict[int, int] = {}
    out: list[Chosen] = []
    for each in chosen:
        place = shown.get(each.hit.id)
        if place is None:
            wide = _widened(each, row_at, most, shown)
            shown.update(dict.fromkeys(wide.rows, len(out)))
            out.append(wide)
        else:
            also = dict.fromkeys((*out[place].also_in, *each.also_in))
            out[place] = replace(out[place], also_in=tuple(also))
    return out


def _widened(chosen: Chosen, row_at: RowAt, most: int, shown: dict[int, int]) -> Chosen:
    """Take rows before and after it in turns, as long as there is room for a whole one."""
    document, first, last = chosen.span
    start, end, rows = first, last, list(chosen.rows)
    section, number = section_of(chosen.hit), number_of(chosen.hit)
    reach = {-1: 0, 1: 0}  # how many places it goes each way
    while reach:
        step = min(reach, key=lambda way: (first - start) if way < 0 else (end - last))
        row = row_at(document, number + reach[step] + step)
        if row is None or row.id in shown or section_of(row) != section:
            del reach[step]
            continue
        wider = min(start, row.data["start"]), max(end, row.data["end"])
        if wider[1] - wider[0] - (last - first) > most:
            del reach[step]
            continue
        start, end = wider
        rows.append(row.id)
        reach[step] += step
    return replace(chosen, span=(document, start, end), rows=tuple(rows))
