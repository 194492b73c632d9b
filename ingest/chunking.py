"""A document to chunks that fit the embedder and begin and end where a reader would cut.

The order of preference is: headings, pages, blocks, sentences, then anywhere. Size is counted in the
embedder's own tokens, and the context that is embedded with a chunk counts too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.assemble import Assembled
from ingest.blocks import BlockKind
from ingest.context import ContextFitter, CountTokens, embedding_texts
from ingest.sections import Section, make_sections, merge_tiny
from ingest.units import Unit, halves, make_units, refine
from retrieval.records import Chunk

# Line ends between units and the one after the context; most tokenizers count none of them.
_SLACK = 2


@dataclass(slots=True)
class _Plan:
    """Units that become one chunk."""

    path: tuple[str, ...]
    units: list[Unit]


def chunk_document(
    assembled: Assembled,
    count_tokens: CountTokens,
    *,
    max_tokens: int,
    title: str = "",
    overlap_sentences: int = 1,
) -> list[Chunk]:
    """Cut a document into chunks.

    `max_tokens` caps what is embedded for each chunk (`embedding_texts` with the same `title`), counted
    by `count_tokens`, without special tokens and prefix. `overlap_sentences` are repeated at the start of
    a chunk that begins within a paragraph. `Chunk.text == assembled.text[start:end]`, and all chunks
    together hold all of the text but white space. `Chunk.headings` are those above the chunk's first
    line, its own included, shortened to a third of the cap; in a later piece of a table the last one is
    the header of the table.

    Raises:
        ValueError: `max_tokens` is below 8 or `overlap_sentences` is negative.
    """
    if max_tokens < 8 or overlap_sentences < 0:
        raise ValueError(f"max_tokens={max_tokens}, overlap_sentences={overlap_sentences}: at least 8 and 0")
    fitter = ContextFitter(count_tokens, max_tokens)
    sections = make_sections(assembled, make_units(assembled, count_tokens))
    sections = merge_tiny(sections, max_tokens)
    fitter.prepare([(title, path) for section in sections for path in section.contexts()])
    plans: list[_Plan] = []
    for section, budget in _fitted(assembled.text, sections, fitter, title, max_tokens, count_tokens):
        plans += [_Plan(section.path, units) for units in _pack(section.units, budget, overlap_sentences)]
    return _checked(assembled, plans, fitter, title, max_tokens, count_tokens)


def _fitted(
    text: str,
    sections: Sequence[Section],
    fitter: ContextFitter,
    title: str,
    max_tokens: int,
    count_tokens: CountTokens,
) -> Iterator[tuple[Section, int]]:
    """Yield each section with its units cut to size and the tokens that a chunk of it may have."""
    budgets, limits = [], []
    for section in sections:
        used = max(fitter.fit(title, path)[2] for path in section.contexts())
        budget = max(1, max_tokens - used - _SLACK)
        budgets.append(budget)
        # A heading must have room for the beginning of its text.
        sticky = max((run for run in _sticky_runs(section.units)), default=0)
        limits += [budget - sticky if sticky <= budget // 2 else max(1, budget // 2)] * len(section.units)
    parts = iter(refine(text, [unit for section in sections for unit in section.units], limits, count_tokens))
    for section, budget in zip(sections, budgets, strict=True):
        units = [part for _ in section.units for part in next(parts)]
        yield Section(section.path, units), budget


def _sticky_runs(units: Sequence[Unit]) -> Iterator[int]:
    run = 0
    for unit in units:
        run = run + unit.tokens if unit.sticky else 0
        yield run


def _pack(units: Sequence[Unit], budget: int, overlap: int) -> Iterator[list[Unit]]:
    """Put units together as evenly as the budget allows, see the module for where it cuts."""
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
            done, current = _without_tail(current)
            yield done
            current = current or _overlap(done, unit, budget, overlap)
            # What stuck to the unit may not leave room for it: then it has to stand alone.
            if current and sum(one.tokens for one in current) + unit.tokens > budget:
                if current[-1].sticky:
                    yield current
                current = []
        current.append(unit)
    if current:
        yield current


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


def _without_tail(units: list[Unit]) -> tuple[list[Unit], list[Unit]]:
    """Take the headings off the end: they belong to what follows."""
    cut = len(units)
    while cut > 0 and units[cut - 1].sticky:
        cut -= 1
    return (units[:cut], units[cut:]) if cut else (units, [])


def _overlap(done: Sequence[Unit], unit: Unit, budget: int, overlap: int) -> list[Unit]:
    if unit.kind is not BlockKind.PARAGRAPH or unit.partial or not overlap:
        return []
    kept = [one for one in done[-overlap:] if one.block == unit.block and one.page == unit.page]
    size = sum(one.tokens for one in kept)
    if any(one.partial for one in kept):
        return []
    fits = size <= budget // 4 and size + unit.tokens <= budget
    return kept if fits and len(kept) < len(done) else []


def _checked(
    assembled: Assembled,
    plans: list[_Plan],
    fitter: ContextFitter,
    title: str,
    max_tokens: int,
    count_tokens: CountTokens,
) -> list[Chunk]:
    """Turn plans into chunks and cut those that are too long after all: joined texts can cost more."""
    while True:
        chunks = [_chunk(assembled, plan, fitter, title) for plan in plans]
        if not chunks:
            return []
        counts = count_tokens(embedding_texts(chunks, title, count_tokens, max_tokens, fitter=fitter))
        if max(counts) <= max_tokens:
            return chunks
        smaller: list[_Plan] = []
        for plan, tokens in zip(plans, counts, strict=True):
            smaller += _smaller(assembled.text, plan, count_tokens) if tokens > max_tokens else [plan]
        if len(smaller) == len(plans):
            return chunks
        plans = smaller


def _smaller(text: str, plan: _Plan, count_tokens: CountTokens) -> list[_Plan]:
    units = plan.units
    if len(units) == 1:
        return [_Plan(plan.path, [part]) for part in halves(text, units[0], count_tokens)]
    middle = len(units) // 2
    # Not between a heading and its text, where there is another place.
    places = [i for i, (before, _) in enumerate(pairwise(units), start=1) if not before.sticky] or [middle]
    middle = min(places, key=lambda place: abs(place - middle))
    return [_Plan(plan.path, units[:middle]), _Plan(plan.path, units[middle:])]


def _chunk(assembled: Assembled, plan: _Plan, fitter: ContextFitter, title: str) -> Chunk:
    first, last = plan.units[0], plan.units[-1]
    path = (*plan.path, first.header) if first.header else plan.path
    return Chunk(
        assembled.text[first.start : last.end],
        first.start,
        last.end,
        page=first.page,
        headings=fitter.fit(title, path)[1],
    )
