"""Small pieces are searched, the larger piece that they are a part of is shown."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from ingest.chunkers.plans import Job, Plan
from ingest.chunkers.structure import pack
from ingest.sections import Section, make_sections, merge_tiny
from ingest.units import make_units


def plan_parents(job: Job) -> list[Plan]:
    """Plan the children of a document; all that have one parent show the same span."""
    sections = make_sections(job.assembled, make_units(job.assembled, job.count_tokens))
    starts = [section.units[0].start for section in sections]
    families: list[tuple[Section, tuple[int, int]]] = []
    for parent in _parents(job, sections):
        own = merge_tiny(_parts(parent, sections, starts), job.chunking.piece_tokens)
        families += [(section, parent.span) for section in own]
    fitted = job.fitted([section for section, _ in families], job.chunking.piece_tokens)
    return [
        Plan(section.path, units, shown)
        for (section, budget), (_, shown) in zip(fitted, families, strict=True)
        for units in pack(section.units, budget, 0)
    ]


def _parents(job: Job, sections: Sequence[Section]) -> list[Plan]:
    most = job.chunking.parent_tokens
    merged = merge_tiny(sections, most)
    plans = [
        Plan(section.path, units)
        for section, budget in job.cut(merged, [most] * len(merged))
        for units in pack(section.units, budget, 0)
    ]

    def measure(parents: Sequence[Plan]) -> list[int]:
        return job.count_tokens([job.text[slice(*parent.span)] for parent in parents])

    return job.settled(plans, measure, most)


def _parts(parent: Plan, sections: Sequence[Section], starts: Sequence[int]) -> list[Section]:
    """Cut a parent's units where sections begin.

    Tiny sections were put together into one parent; so each child has its own headings all the same.
    """
    parts: list[Section] = []
    part_of = -1
    for unit in parent.units:
        section = max(0, bisect_right(starts, unit.start) - 1)
        if not parts or section != part_of:
            parts.append(Section(sections[section].path, []))
        parts[-1].units.append(unit)
        part_of = section
    return parts
