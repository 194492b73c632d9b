"""Chunks that begin and end where a reader would cut: headings, pages, blocks, sentences, then anywhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ingest.blocks import BlockKind
from ingest.chunkers.plans import Job, Plan
from ingest.sections import make_sections, merge_tiny
from ingest.units import Unit, make_units


def plan_structure(job: Job) -> list[Plan]:
    """Plan the chunks of a document, each within one section."""
    cap = job.chunking.max_tokens
    sections = merge_tiny(make_sections(job.assembled, make_units(job.assembled, job.count_tokens)), cap)
    return [
        Plan(section.path, units)
        for section, budget in job.fitted(sections, cap)
        for units in pack(section.units, budget, job.chunking.overlap_sentences)
    ]


def pack(units: Sequence[Unit], budget: int, overlap: int) -> Iterator[list[Unit]]:
    """Put units together as evenly as the budget allows; none may be longer than it."""
    pages: dict[int | None, int] = {}
    blocks: dict[int, int] = {}
    for unit in units:
        pages[unit.page] = pages.get(unit.page, 0) + unit.tokens
        blocks[unit.block] = blocks.get(unit.block, 0) + unit.tokens
    # What is on a page is shared out evenly, so that no last chunk is a mere remainder.
    targets = {page: math.ceil(total / math.ceil(total / budget)) for page, total in pages.items() if total}
    current: list[Unit] = []
    for unit in units:
        if current and _cuts(current, unit, blocks[unit.block], budget, targets.get(unit.page, budget)):
            done, current = split_tail(current)
            if done:
                yield done
            current = current or _overlap(done, unit, budget, overlap)
            alone, current = make_room(current, unit, budget)
            if alone:
                yield alone
        current.append(unit)
    if current:
        yield current


def split_tail(units: list[Unit]) -> tuple[list[Unit], list[Unit]]:
    """Take the headings off the end: they belong to what follows."""
    cut = len(units)
    while cut > 0 and units[cut - 1].sticky:
        cut -= 1
    return units[:cut], units[cut:]


def make_room(before: list[Unit], unit: Unit, budget: int) -> tuple[list[Unit], list[Unit]]:
    """Cut what goes along with a unit into what has to stand alone and what fits with it.

    Headings stand alone when they are too many, and so does the header of a table, which all its rows carry
    as context; a repeated sentence that does not fit is left out.
    """
    size = unit.tokens + sum(one.tokens for one in before)
    cut = 0
    while cut < len(before) and size > budget:
        size -= before[cut].tokens
        cut += 1
    if not cut:
        return [], before
    if not before[-1].sticky:
        return [], []
    if before[-1].kind is BlockKind.TABLE:
        return before, []
    return before[:cut], before[cut:]


def _cuts(current: Sequence[Unit], unit: Unit, block_tokens: int, budget: int, target: int) -> bool:
    size = sum(one.tokens for one in current)
    if size + unit.tokens > budget:
        return True
    if current[-1].sticky:
        return False
    if unit.page != current[-1].page:
        return True
    if unit.block == current[-1].block:
        return 4 * size >= 5 * target
    # Between blocks, where the share is nearest to an even one; rather a short chunk than a cut paragraph.
    whole = block_tokens if unit.sticky or block_tokens <= budget else unit.tokens
    return 2 * size >= target and (size + whole // 2 > target or size + whole > budget)


def _overlap(done: Sequence[Unit], unit: Unit, budget: int, overlap: int) -> list[Unit]:
    if unit.kind is not BlockKind.PARAGRAPH or unit.partial or not overlap:
        return []
    kept = [one for one in done[-overlap:] if one.block == unit.block and one.page == unit.page]
    size = sum(one.tokens for one in kept)
    if any(one.partial for one in kept):
        return []
    fits = size <= budget // 4 and size + unit.tokens <= budget
    return kept if fits and len(kept) < len(done) else []
